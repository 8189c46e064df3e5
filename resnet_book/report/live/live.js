// Runs the book's trained networks in the page: pixels in, scores and feature maps out, with blocks and shortcuts cut.
// The data is live_data.js, written by resnet_book.report.live_network; the weights of any but the first network are
// in a script of their own, fetched when it is chosen. Nothing leaves the reader's computer.
(function () {
  "use strict";
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
  function see(source, width, height) {
    const side = Math.min(width, height), canvas = document.createElement("canvas");
    const working = side >= SIZE ? Math.min(side, 512) : SIZE;
    canvas.width = canvas.height = working;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff"; // behind what is transparent
    context.fillRect(0, 0, working, working);
    context.drawImage(source, (width - side) / 2, (height - side) / 2, side, side, 0, 0, working, working);
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

  // --- The page -------------------------------------------------------------------------------------------------

  function element(kind, settings, ...children) {
    const made = Object.assign(document.createElement(kind), settings || {});
    made.append(...children);
    return made;
  }

  function percent(probability) {
    return `${(100 * probability).toFixed(1)} %`;
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

  function start(place, data) {
    if (data.networks.length === 0) {
      place.textContent = "No network of 20 layers is recorded on CIFAR-10 with its weights, so none can run here.";
      return;
    }
    const networks = data.networks.map((each) => (each.weights ? load(each) : null));
    const state = { network: networks[0], pixels: null, name: "", cuts: [], asking: null };
    state.cuts = state.network.blocks.map(() => "");

    const seen = element("canvas", { className: "live-seen" });
    seen.setAttribute("role", "img");
    const answer = element("span", {}), duration = element("span", {});
    const cost = element("p", { className: "live-cost" });
    // What changes there is read aloud, whole and once. The first answer, which nobody asked for, stays silent.
    const readAloud = () => [answer, cost].forEach((each) => each.setAttribute("role", "status"));
    const say = (place, words) => place.textContent === words || (place.textContent = words);
    const bars = element("ol", { className: "live-bars" });
    const question = element("fieldset", { className: "live-question", hidden: true });
    const stages = element("div", { className: "live-maps" });
    const switches = element("div", { className: "live-switches" });
    const askFirst = element("input", { type: "checkbox", checked: true });

    // Pictures: the book's, or the reader's.
    const pictures = element("div", { className: "live-pictures" });
    pictures.setAttribute("role", "group");
    pictures.setAttribute("aria-label", "Pictures");
    function choose(source, width, height, name) {
      state.pixels = see(source, width, height);
      state.name = name;
      drawPixels(seen, state.pixels);
      seen.setAttribute("aria-label", `${name}, as the network sees it: 32 by 32 pixels`);
      for (const each of pictures.querySelectorAll("button"))
        each.setAttribute("aria-pressed", each.getAttribute("aria-label") === name);
      state.asking = null;
      show();
    }
    for (const { name, jpeg } of data.pictures) {
      const picture = element("img", { src: `data:image/jpeg;base64,${jpeg}` });
      const button = element("button", { type: "button", className: "live-picture" });
      button.setAttribute("aria-label", name);
      button.style.backgroundImage = `url(${picture.src})`;
      button.addEventListener("click", () => choose(picture, picture.naturalWidth, picture.naturalHeight, name));
      if (pictures.childElementCount === 0)
        picture.addEventListener("load", () => {
          button.click();
          readAloud();
        });
      pictures.append(button);
    }
    async function take(file) {
      if (!file) return;
      try {
        const picture = await createImageBitmap(file);
        choose(picture, picture.width, picture.height, file.name || "your picture");
      } catch (error) {
        say(answer, `${file.name || "This"} cannot be read as a picture. Choose a JPEG, PNG or WebP file.`);
        say(duration, "");
      }
    }
    const chooser = element("input", { type: "file", accept: "image/*" });
    chooser.addEventListener("change", () => take(chooser.files[0]));
    pictures.append(element("label", { className: "live-file" }, "Your own picture (or paste, or drop one here): ", chooser));
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData ? event.clipboardData.files : [])].find((each) => each.type.startsWith("image/"));
      if (file) take(file);
    });

    // Switches: a row a stage, two switches a block.
    function makeSwitches() {
      switches.replaceChildren(element("p", {}, "The parts of each block; one of them can be out at a time."));
      let stage = 0, row = null;
      state.network.blocks.forEach((block, number) => {
        if (number === 0 || block.stride > 1) {
          stage += 1;
          const legend = element("legend", {}, `Stage ${stage}: ${block.to} channels`);
          row = element("fieldset", {}, legend);
          switches.append(row);
        }
        const kinds = state.network.residual ? ["block", "shortcut"] : ["block"];
        const group = element("span", { className: "live-block" }, element("b", {}, String(number + 1)));
        for (const kind of kinds) {
          const box = element("input", { type: "checkbox", checked: true });
          box.setAttribute("aria-label", `block ${number + 1}: ${kind === "block" ? "its layers" : "its shortcut"}`);
          box.addEventListener("change", () => cut(number, kind, !box.checked));
          group.append(element("label", {}, box, kind === "block" ? " layers" : " shortcut"));
        }
        row.append(group);
      });
    }
    function switchOf(number, kind) {
      const part = kind === "shortcut" ? 1 : 0;
      return switches.querySelectorAll("input")[state.network.residual ? 2 * number + part : number];
    }
    function cut(number, kind, out) {
      const before = state.result;
      if (state.cuts[number]) switchOf(number, state.cuts[number]).checked = true;
      state.cuts[number] = out ? kind : "";
      const part = kind === "block" ? `the layers of block ${number + 1}` : `the shortcut of block ${number + 1}`;
      const box = switchOf(number, kind);
      box.checked = !out;
      if (out && askFirst.checked && before) ask(before, part, box);
      else {
        state.asking = null;
        show();
      }
    }
    function ask(before, part, box) {
      const was = state.network.classes[best(before)];
      state.asking = true;
      const buttons = [["It stays", true], ["It changes", false]].map(([words, stays]) => {
        const button = element("button", { type: "button" }, words);
        button.addEventListener("click", () => {
          const after = run(state.network, state.pixels, state.cuts);
          const stayed = best(after) === best(before);
          state.asking = null;
          box.focus(); // before what is read aloud, which a move of the focus would cut short
          show(stayed === stays ? "You were right. " : "Not so. ");
          question.replaceChildren(answer.textContent); // here too: on a phone the answer is far above
          question.hidden = false;
        });
        return button;
      });
      const words = `You took out ${part}. Will the answer still be “${was}”?`;
      question.replaceChildren(element("legend", {}, words), ...buttons); // a legend is read to who comes to a button
      box.closest("fieldset").after(question); // where the reader looks, and next in the order of the keyboard
      show();
      buttons[0].focus();
    }
    function best(result) {
      return result.probabilities.indexOf(Math.max(...result.probabilities));
    }

    // What the cut costs on test images, as chapter 8 measured it.
    function costInWords() {
      const { name, test_error: error, lesions } = state.network;
      const cuts = state.cuts.map((cut, number) => [cut, number]).filter(([cut]) => cut);
      const whole = `${name} as it was trained errs on ${error.toFixed(2)} % of the ${state.network.test_images.toLocaleString("en")} test images.`;
      if (cuts.length === 0) return whole;
      const [kind, number] = cuts[0];
      const known = cuts.length === 1 && lesions ? lesions.errors[`${kind} ${number + 1}`] : undefined;
      if (known === undefined) return "What this costs on test images was not measured: only cuts of one part were.";
      const count = lesions.images.toLocaleString("en");
      return `On the first ${count} test images, ${name} errs on ${lesions.errors[""].toFixed(2)} % whole, `
        + `and on ${known.toFixed(2)} % with this cut. One picture is not the test set.`;
    }

    function show(verdict = "") {
      question.hidden = !state.asking;
      place.classList.toggle("live-waiting", Boolean(state.asking));
      if (!state.pixels || state.asking) {
        if (state.asking) for (const each of [answer, duration, cost]) say(each, "");
        return;
      }
      const result = (state.result = run(state.network, state.pixels, state.cuts));
      const winner = best(result);
      const number = state.cuts.filter((cut) => cut).length;
      const cuts = number === 0 ? "" : `, with ${number} ${number === 1 ? "part" : "parts"} taken out,`;
      say(answer, `${verdict}${state.network.name}${cuts} says of “${state.name}”: ${state.network.classes[winner]}, `
        + `${percent(result.probabilities[winner])}.`);
      say(duration, ` (Computed here in ${Math.round(result.milliseconds)} ms.)`);
      say(cost, costInWords());
      bars.classList.toggle("live-residual", state.network.residual); // the book's blue, not its orange
      bars.replaceChildren(...result.probabilities.map((probability, n) => {
        const bar = element("span", { className: "live-bar" });
        bar.style.width = `${100 * probability}%`;
        const item = element("li", {},
          element("span", { className: "live-class" }, state.network.classes[n]),
          element("span", { className: "live-track" }, bar),
          element("span", { className: "live-number" }, percent(probability)));
        item.classList.toggle("live-winner", n === winner);
        return item;
      }));
      stages.replaceChildren(...result.maps.map((map, n) => {
        const canvas = element("canvas", {});
        canvas.setAttribute("aria-hidden", "true"); // what can be said of it stands below
        drawMaps(canvas, map, place.clientWidth < 500);
        return element("div", {}, canvas, element("p", {},
          `After stage ${n + 1}: ${map.channels} maps of ${map.size} × ${map.size}, ${black(map)} of them black all over`));
      }));
    }

    function fetchWeights(n, then) {
      say(answer, "Loading the network …");
      say(duration, "");
      const script = element("script", { src: place.dataset.source.replace("live_data", `live_weights_${n}`) });
      script.addEventListener("load", then);
      script.addEventListener("error", () => say(answer, "The network could not be loaded."));
      document.head.append(script);
    }

    const reset = element("button", { type: "button" }, "Put everything back");
    reset.addEventListener("click", () => {
      state.cuts = state.network.blocks.map(() => "");
      state.asking = null;
      for (const box of switches.querySelectorAll("input")) box.checked = true;
      show();
    });
    const tools = element("p", { className: "live-tools" }, reset, element("label", {}, askFirst, " ask me first"));
    if (networks.length > 1) {
      const list = element("select", {}, ...data.networks.map((each, n) => element("option", { value: n }, each.name)));
      const exchange = () => {
        const n = Number(list.value);
        if (!networks[n] && !data.networks[n].weights) return fetchWeights(n, exchange);
        state.network = networks[n] = networks[n] || load(data.networks[n]);
        state.cuts = state.network.blocks.map(() => "");
        state.asking = null;
        makeSwitches();
        show();
      };
      list.addEventListener("change", exchange);
      tools.prepend(element("label", {}, "Network: ", list));
    }
    makeSwitches();
    place.replaceChildren(
      pictures, element("div", { className: "live-result" }, seen,
        element("div", {}, element("p", { className: "live-answer" }, answer, duration), bars, cost)),
      tools, switches, stages);
  }

  window.LiveNetwork = { load, run, see, start };

  // The data is fetched when its place comes into view, or when the Tab key is used: it would pass over an empty place.
  document.addEventListener("DOMContentLoaded", () => {
    for (const place of document.querySelectorAll(".live-network[data-source]")) {
      const fetchData = () => {
        watch.disconnect();
        document.removeEventListener("keydown", tabbed);
        const script = element("script", { src: place.dataset.source });
        script.addEventListener("load", () => start(place, window.LIVE_NETWORK));
        document.head.append(script);
      };
      const tabbed = (event) => event.key === "Tab" && fetchData();
      const watch = new IntersectionObserver(
        (entries) => entries.some((entry) => entry.isIntersecting) && fetchData(), { rootMargin: "300px" });
      document.addEventListener("keydown", tabbed);
      watch.observe(place);
    }
  });
})();
