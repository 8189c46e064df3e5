// Runs the book's trained networks in the page: pixels in, scores and feature maps out, with blocks and shortcuts cut.
// The data is live_data.js, written by resnet_book.report.live_network; the weights of any but the first network are
// in a script of their own, fetched when it is chosen. Nothing leaves the reader's computer.
(function () {
  "use strict";
  if (window.LiveNetwork) return; // a page with two places brings this script twice
  const SIZE = 32; // pixels on a side of what a network sees

  // --- Computing ------------------------------------------------------------------------------------------------

  // A network of live_data.js with its weights as typed arrays: layers in the order in which an image meets them.
  function load(described) {
    const bytes = Uint8Array.from(atob(described.weights), (c) => c.charCodeAt(0));
    const bits = new Uint32Array(bytes.length / 3); // the upper three bytes of each float32; the lowest is 0
    for (let k = 0; k < bits.length; k++) bits[k] = (bytes[3 * k] << 8) | (bytes[3 * k + 1] << 16) | (bytes[3 * k + 2] << 24);
    const numbers = new Float32Array(bits.buffer);
    let place = 0;
    const take = (count) => numbers.subarray(place, (place += count));
    const convolution = (from, to, stride) => ({ from, to, stride, weights: take(to * from * 9), biases: take(to) });
    const stem = convolution(3, described.stem, 1);
    let channels = described.stem;
    const blocks = described.blocks.map(([to, stride]) => {
      const block = { from: channels, to, stride, first: convolution(channels, to, stride), second: convolution(to, to, 1) };
      channels = to;
      return block;
    });
    const classes = described.classes.length;
    const last = { weights: take(classes * channels), biases: take(classes) };
    if (place !== numbers.length) throw new Error("the weights are not those of this network");
    return { ...described, stem, blocks, last };
  }

  // 3x3 convolution with zero padding 1: (from, size, size) -> (to, size / stride, size / stride).
  function convolve(x, size, { from, to, stride, weights, biases }) {
    const padded = size + 2, out = size / stride;
    const around = new Float32Array(from * padded * padded);
    for (let c = 0; c < from; c++)
      for (let row = 0; row < size; row++)
        around.set(x.subarray((c * size + row) * size, (c * size + row + 1) * size), (c * padded + row + 1) * padded + 1);
    const result = new Float32Array(to * out * out);
    const sums = new Float64Array(out * out);
    for (let o = 0; o < to; o++) {
      sums.fill(biases[o]);
      for (let c = 0; c < from; c++) {
        const w = weights.subarray((o * from + c) * 9, (o * from + c + 1) * 9);
        const [a, b, d, e, f, g, h, i, j] = w;
        for (let row = 0, at = 0; row < out; row++) {
          let p = (c * padded + row * stride) * padded;
          for (let column = 0; column < out; column++, at++, p += stride) {
            const q = p + padded, r = q + padded;
            sums[at] += a * around[p] + b * around[p + 1] + d * around[p + 2] + e * around[q] + f * around[q + 1]
              + g * around[q + 2] + h * around[r] + i * around[r + 1] + j * around[r + 2];
          }
        }
      }
      result.set(sums, o * out * out);
    }
    return result;
  }

  function relu(x) {
    for (let k = 0; k < x.length; k++) if (x[k] < 0) x[k] = 0;
    return x;
  }

  // The shortcut where the shape changes: every stride-th pixel, zeros for the new channels, half before and half after.
  function shortcut(x, size, { from, to, stride }) {
    if (stride === 1 && from === to) return x;
    const out = size / stride, before = Math.floor((to - from) / 2);
    const result = new Float32Array(to * out * out);
    for (let c = 0; c < from; c++)
      for (let row = 0; row < out; row++)
        for (let column = 0; column < out; column++)
          result[((before + c) * out + row) * out + column] = x[(c * size + row * stride) * size + column * stride];
    return result;
  }

  // Scores of an image, 3 x 32 x 32 values from 0 to 255. cuts: for each block "", "block" (left out: only its shortcut
  // remains; in a plain network, the same way around it) or "shortcut" (closed: only its layers remain).
  function run(network, pixels, cuts) {
    const began = performance.now();
    let size = SIZE;
    const plane = size * size;
    let x = Float32Array.from(pixels, (value, k) => {
      const channel = Math.floor(k / plane);
      return (value - network.mean[channel]) / network.std[channel];
    });
    x = relu(convolve(x, size, network.stem));
    const maps = [];
    network.blocks.forEach((block, number) => {
      const cut = (cuts || [])[number] || "";
      const out = size / block.stride;
      const around = cut === "block" || (network.residual && cut !== "shortcut") ? shortcut(x, size, block) : null;
      let y = null;
      if (cut !== "block") y = convolve(relu(convolve(x, size, block.first)), out, block.second);
      if (y && around) for (let k = 0; k < y.length; k++) y[k] += around[k];
      x = y ? relu(y) : around; // what comes around is not negative
      size = out;
      const next = network.blocks[number + 1];
      if (!next || next.stride > 1) maps.push({ channels: block.to, size, values: x });
    });
    const channels = x.length / (size * size);
    const features = new Float64Array(channels);
    for (let c = 0; c < channels; c++) {
      for (let k = 0; k < size * size; k++) features[c] += x[c * size * size + k];
      features[c] /= size * size;
    }
    const { weights, biases } = network.last;
    const scores = Array.from(biases, (bias, n) => {
      let sum = bias;
      for (let c = 0; c < channels; c++) sum += weights[n * channels + c] * features[c];
      return sum;
    });
    const largest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - largest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return { scores, probabilities: powers.map((power) => power / total), maps, milliseconds: performance.now() - began };
  }

  // A picture of any size as 3 x 32 x 32 values: its middle square, each value the mean of the pixels that fall on it.
  // A square of more than 512 pixels a side is first drawn as one of 512, smoothed by the browser.
  function see(source, width, height) {
    const side = Math.min(width, height), canvas = document.createElement("canvas");
    const working = side >= SIZE ? Math.min(side, 512) : SIZE;
    canvas.width = canvas.height = working;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff"; // behind what is transparent
    context.fillRect(0, 0, working, working);
    context.imageSmoothingQuality = "high"; // each pixel counts; by default few do
    const [fromLeft, fromTop] = [width, height].map((length) => Math.floor((length - side) / 2)); // no half pixels
    context.drawImage(source, fromLeft, fromTop, side, side, 0, 0, working, working);
    const data = context.getImageData(0, 0, working, working).data;
    const pixels = new Float32Array(3 * SIZE * SIZE);
    for (let row = 0; row < SIZE; row++)
      for (let column = 0; column < SIZE; column++) {
        const top = Math.floor((row * working) / SIZE), bottom = Math.floor(((row + 1) * working) / SIZE);
        const left = Math.floor((column * working) / SIZE), right = Math.floor(((column + 1) * working) / SIZE);
        const sum = [0, 0, 0];
        for (let y = top; y < bottom; y++)
          for (let x = left; x < right; x++)
            for (let c = 0; c < 3; c++) sum[c] += data[(y * working + x) * 4 + c];
        for (let c = 0; c < 3; c++)
          pixels[(c * SIZE + row) * SIZE + column] = Math.round(sum[c] / ((bottom - top) * (right - left)));
      }
    return pixels;
  }

  // --- Parts of the page ----------------------------------------------------------------------------------------

  function element(kind, settings, ...children) {
    const made = Object.assign(document.createElement(kind), settings || {});
    made.append(...children);
    return made;
  }

  // Runs a script once, however many places of the page ask for it; again only where it did not come.
  const scripts = new Map(); // promises, by address
  function runScript(source) {
    if (!scripts.has(source))
      scripts.set(source, new Promise((resolve, reject) => {
        const script = element("script", { src: source });
        script.addEventListener("load", resolve);
        script.addEventListener("error", () => {
          scripts.delete(source);
          reject(new Error(`${source} could not be loaded`));
        });
        document.head.append(script);
      }));
    return scripts.get(source);
  }

  function percent(probability) {
    return `${(100 * probability).toFixed(1)} %`;
  }

  function best(result) {
    return result.probabilities.indexOf(Math.max(...result.probabilities));
  }

  function drawPixels(canvas, pixels) {
    canvas.width = canvas.height = SIZE;
    const image = new ImageData(SIZE, SIZE);
    for (let k = 0; k < SIZE * SIZE; k++) {
      for (let c = 0; c < 3; c++) image.data[4 * k + c] = pixels[c * SIZE * SIZE + k];
      image.data[4 * k + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // All channels of a stage side by side, each on its own scale, white: its largest value.
  function drawMaps(canvas, { channels, size, values }, narrow) {
    const across = Math.min(channels, narrow ? 8 : 16), down = Math.ceil(channels / across), step = size + 1;
    canvas.width = across * step - 1;
    canvas.height = down * step - 1;
    const image = new ImageData(canvas.width, canvas.height);
    for (let c = 0; c < channels; c++) {
      const map = values.subarray(c * size * size, (c + 1) * size * size);
      const largest = map.reduce((most, value) => Math.max(most, value), 1e-9);
      for (let k = 0; k < size * size; k++) {
        const row = Math.floor(c / across) * step + Math.floor(k / size), column = (c % across) * step + (k % size);
        const at = 4 * (row * canvas.width + column), shade = Math.round((255 * map[k]) / largest);
        image.data.set([shade, shade, shade, 255], at);
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // How many channels of a stage are zero everywhere.
  function black({ channels, size, values }) {
    let count = 0;
    for (let c = 0; c < channels; c++)
      if (values.subarray(c * size * size, (c + 1) * size * size).every((value) => value <= 0)) count++;
    return count;
  }

  // A row a class: its name, a bar, its probability.
  function barRows(result, classes) {
    return result.probabilities.map((probability, n) => {
      const bar = element("span", { className: "live-bar" });
      bar.style.width = `${100 * probability}%`;
      const row = element("li", {},
        element("span", { className: "live-class" }, classes[n]),
        element("span", { className: "live-track" }, bar),
        element("span", { className: "live-number" }, percent(probability)));
      row.classList.toggle("live-winner", n === best(result));
      return row;
    });
  }

  // The maps after each stage, and what can be said of them.
  function stageRows(result, narrow) {
    return result.maps.map((map, n) => {
      const canvas = element("canvas", {});
      canvas.setAttribute("aria-hidden", "true"); // what can be said of it stands below
      drawMaps(canvas, map, narrow);
      return element("div", {}, canvas, element("p", {},
        `After stage ${n + 1}: ${map.channels} maps of ${map.size} × ${map.size}, ${black(map)} of them black all over`));
    });
  }

  function partInWords(kind, number) {
    return `the ${kind === "block" ? "layers" : "shortcut"} of block ${number + 1}`;
  }

  // "", or the parts that are out: " without the layers of block 1 and the shortcut of block 4".
  function cutsInWords(cuts) {
    const parts = cuts.map((kind, number) => kind && partInWords(kind, number)).filter((part) => part);
    if (parts.length === 0) return "";
    const last = parts.pop();
    return ` without ${parts.length ? `${parts.join(", ")} and ` : ""}${last}`;
  }

  // What the cuts cost on test images, as chapter 8 measured it.
  function costInWords({ name, test_error: error, test_images: images, lesions }, cuts) {
    const out = cuts.map((kind, number) => [kind, number + 1]).filter(([kind]) => kind);
    if (out.length === 0)
      return `${name} as it was trained errs on ${error.toFixed(2)} % of the ${images.toLocaleString("en")} test images.`;
    if (!lesions) return "What cuts of this network cost on test images was not measured.";
    const known = out.length === 1 ? lesions.errors[out[0].join(" ")] : undefined;
    if (known === undefined) return "What this costs on test images was not measured: only cuts of one part were.";
    const count = lesions.images.toLocaleString("en"), [whole, cut] = [lesions.errors[""], known].map((each) => each.toFixed(2));
    return `On the first ${count} test images, ${name} errs on ${whole} % whole, and on ${cut} % with this cut. `
      + "One picture is not the test set.";
  }

  // Pictures to choose from, the book's and the reader's own. choose gets one, its size and name; complain a sentence.
  function pictureBar(place, offered, choose, complain) {
    const bar = element("div", { className: "live-pictures" });
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Pictures");
    let asked = 0; // pictures so far: one that takes long to read must not come after a later one
    function press(button) {
      for (const each of bar.querySelectorAll("button")) each.setAttribute("aria-pressed", each === button);
    }
    for (const { name, jpeg } of offered) {
      const picture = element("img", { src: `data:image/jpeg;base64,${jpeg}` });
      const button = element("button", { type: "button", className: "live-picture" });
      button.setAttribute("aria-label", name);
      button.style.backgroundImage = `url(${picture.src})`;
      button.addEventListener("click", () => {
        asked += 1;
        press(button);
        choose(picture, picture.naturalWidth, picture.naturalHeight, name);
      });
      if (bar.childElementCount === 0) picture.addEventListener("load", () => asked || button.click());
      bar.append(button);
    }

    const types = ["image/jpeg", "image/png", "image/webp"];
    async function take(file) {
      const mine = (asked += 1);
      const picture = await createImageBitmap(file).catch(() => null); // null: it is none
      if (mine === asked && picture) {
        press(null);
        choose(picture, picture.width, picture.height, file.name || "your picture");
      } else if (mine === asked)
        complain(`${file.name || "This"} cannot be read as a picture. Choose a JPEG, PNG or WebP file.`);
      if (picture) picture.close();
    }
    const chooser = element("input", { type: "file", accept: types.join() });
    chooser.addEventListener("change", () => {
      if (chooser.files.length) take(chooser.files[0]);
      chooser.value = ""; // so that the same file can be chosen again
    });
    bar.append(element("label", { className: "live-file" }, "Your own picture (or paste, or drop one here): ", chooser));
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
      else complain("That was no file. Drop a JPEG, PNG or WebP file from your computer.");
    });
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData ? event.clipboardData.files : [])].find((each) => each.type.startsWith("image/"));
      if (file) take(file);
    });
    return bar;
  }

  // A list of networks, of which the first is in use. wait gets the name of one that is chosen, then use the network; or
  // fail gets the name if it does not come, and the list goes back to the one in use.
  function networkList(offered, first, source, { use, wait, fail }) {
    const list = element("select", {}, ...offered.map((each, n) => element("option", { value: n }, each.name)));
    const networks = [Promise.resolve(first)];
    let used = 0;
    async function fetched(n) {
      if (offered[n].weights) return load(offered[n]);
      const script = source.replace("live_data", `live_weights_${n}`);
      try {
        await runScript(script);
        return load(offered[n]);
      } catch (error) {
        scripts.delete(script); // to be fetched again
        offered[n].weights = null;
        throw error;
      }
    }
    list.addEventListener("change", async () => {
      const n = Number(list.value);
      wait(offered[n].name);
      networks[n] = networks[n] || fetched(n);
      const network = await networks[n].catch((error) => console.error(error));
      if (!network) networks[n] = null; // may be chosen again
      if (Number(list.value) !== n) return; // another was chosen while this one was on its way
      if (network) {
        used = n;
        use(network);
      } else {
        list.value = used;
        fail(offered[n].name);
      }
    });
    return list;
  }

  // A row a stage, two switches a block, or one in a plain network. cut gets the block, the part and whether it is out.
  function switchRows(network, cut) {
    const rows = [];
    network.blocks.forEach((block, number) => {
      if (number === 0 || block.stride > 1)
        rows.push(element("fieldset", {}, element("legend", {}, `Stage ${rows.length + 1}: ${block.to} channels`)));
      const group = element("span", { className: "live-block" }, element("b", {}, String(number + 1)));
      for (const kind of network.residual ? ["block", "shortcut"] : ["block"]) {
        const words = kind === "block" ? "layers" : "shortcut";
        const box = element("input", { type: "checkbox", checked: true });
        box.setAttribute("aria-label", `block ${number + 1}: its ${words}`);
        box.addEventListener("change", () => cut(number, kind, !box.checked));
        group.append(element("label", {}, box, ` ${words}`));
      }
      rows[rows.length - 1].append(group);
    });
    return rows;
  }

  // --- The page -------------------------------------------------------------------------------------------------

  function start(place, data) {
    if (data.networks.length === 0) {
      place.textContent = "No network of 20 layers is recorded on CIFAR-10 with its weights, so none can run here.";
      return;
    }
    // result: of the picture and the cuts that were shown last. loading: the name of a network that is on its way.
    const state = { network: null, pixels: null, name: "", cuts: [], result: null, asking: false, loading: "" };

    const seen = element("canvas", { className: "live-seen" });
    seen.setAttribute("role", "img");
    const answer = element("span", {}), duration = element("span", {});
    const cost = element("p", { className: "live-cost" });
    const bars = element("ol", { className: "live-bars" });
    const question = element("fieldset", { className: "live-question", hidden: true });
    const stages = element("div", { className: "live-maps" });
    const switches = element("div", { className: "live-switches" });
    const askFirst = element("input", { type: "checkbox", checked: true });
    const say = (place, words) => place.textContent === words || (place.textContent = words);

    function choose(source, width, height, name) {
      Object.assign(state, { pixels: see(source, width, height), name, asking: false });
      drawPixels(seen, state.pixels);
      seen.setAttribute("aria-label", `${name}, as the network sees it: 32 by 32 pixels`);
      show();
      // What changes there is read aloud, whole and once. The first answer, which nobody asked for, stays silent.
      for (const each of [answer, cost]) each.setAttribute("role", "status");
    }
    function complain(words) {
      say(answer, words);
      say(duration, "");
    }
    function use(network) {
      if (network !== state.network) {
        Object.assign(state, { network, cuts: network.blocks.map(() => "") });
        const words = "In each block, one part can be out at a time.";
        switches.replaceChildren(element("p", {}, words), ...switchRows(network, cut));
      }
      state.loading = "";
      show();
    }
    function wait(name) {
      Object.assign(state, { loading: name, asking: false });
      show();
    }
    function fail(name) {
      state.loading = "";
      show(`${name} could not be loaded. `);
    }

    function switchOf(number, kind) {
      const part = kind === "shortcut" ? 1 : 0;
      return switches.querySelectorAll("input")[state.network.residual ? 2 * number + part : number];
    }
    function cut(number, kind, out) {
      const before = state.result;
      if (state.cuts[number]) switchOf(number, state.cuts[number]).checked = true;
      state.cuts[number] = out ? kind : "";
      const box = switchOf(number, kind);
      box.checked = !out;
      if (out && askFirst.checked && before && !state.asking) ask(before, partInWords(kind, number), box);
      else {
        state.asking = false;
        show();
      }
    }
    function ask(before, part, box) {
      state.asking = true;
      const buttons = [["It stays", true], ["It changes", false]].map(([words, stays]) => {
        const button = element("button", { type: "button" }, words);
        button.addEventListener("click", () => {
          const after = run(state.network, state.pixels, state.cuts);
          const stayed = best(after) === best(before);
          state.asking = false;
          box.focus(); // before what is read aloud, which a move of the focus would cut short
          show(stayed === stays ? "You were right. " : "Not so. ", after);
          question.replaceChildren(answer.textContent); // here too: on a phone the answer is far above
          question.hidden = false;
        });
        return button;
      });
      const words = `You took out ${part}. Will the answer still be “${state.network.classes[best(before)]}”?`;
      question.replaceChildren(element("legend", {}, words), ...buttons); // a legend is read to who comes to a button
      box.closest("fieldset").after(question); // where the reader looks, and next in the order of the keyboard
      show();
      buttons[0].focus();
    }

    // Shows what the network says, after the verdict on the reader's guess. result: of picture and cuts, where known.
    function show(verdict = "", result = null) {
      const waiting = state.asking || state.loading !== "";
      question.hidden = !state.asking;
      place.classList.toggle("live-waiting", waiting);
      switches.inert = state.loading !== ""; // they are those of the network before
      if (waiting || !state.pixels) {
        say(answer, state.loading ? `Loading ${state.loading} …` : verdict);
        for (const each of [duration, cost]) say(each, "");
        return;
      }
      const { network, cuts } = state;
      state.result = result || run(network, state.pixels, cuts);
      const winner = best(state.result);
      say(answer, `${verdict}${network.name}${cutsInWords(cuts)} says of “${state.name}”: ${network.classes[winner]}, `
        + `${percent(state.result.probabilities[winner])}.`);
      say(duration, ` (Computed here in ${Math.round(state.result.milliseconds)} ms.)`);
      say(cost, costInWords(network, cuts));
      bars.classList.toggle("live-residual", network.residual); // the book's blue, not its orange
      bars.replaceChildren(...barRows(state.result, network.classes));
      stages.replaceChildren(...stageRows(state.result, place.clientWidth < 500));
    }

    const reset = element("button", { type: "button" }, "Put everything back");
    reset.addEventListener("click", () => {
      Object.assign(state, { cuts: state.network.blocks.map(() => ""), asking: false });
      for (const box of switches.querySelectorAll("input")) box.checked = true;
      show();
    });
    const tools = element("p", { className: "live-tools" }, reset, element("label", {}, askFirst, " ask me first"));
    use(load(data.networks[0]));
    if (data.networks.length > 1) {
      const list = networkList(data.networks, state.network, place.dataset.source, { use, wait, fail });
      tools.prepend(element("label", {}, "Network: ", list));
    }
    place.replaceChildren(
      pictureBar(place, data.pictures, choose, complain), element("div", { className: "live-result" }, seen,
        element("div", {}, element("p", { className: "live-answer" }, answer, duration), bars, cost)),
      tools, switches, stages);
  }

  window.LiveNetwork = { load, run, start };

  // The data is fetched when its place comes into view, or when the Tab key is used: it would pass over an empty place.
  document.addEventListener("DOMContentLoaded", () => {
    for (const place of document.querySelectorAll(".live-network[data-source]")) {
      const fetchData = async () => {
        watch.disconnect();
        document.removeEventListener("keydown", tabbed);
        try {
          await runScript(place.dataset.source);
          start(place, window.LIVE_NETWORK);
        } catch (error) {
          console.error(error);
          place.textContent = "The network could not be loaded. Load the page anew to try again. "
            + "Without it: chapter 8 shows what each cut costs.";
        }
      };
      const tabbed = (event) => event.key === "Tab" && fetchData();
      const watch = new IntersectionObserver(
        (entries) => entries.some((entry) => entry.isIntersecting) && fetchData(), { rootMargin: "300px" });
      document.addEventListener("keydown", tabbed);
      watch.observe(place);
    }
  });
})();
