// Draws two loss surfaces side by side, plain and residual, that the reader turns with the mouse, a finger or the keyboard.
// The data stands in the page, written by resnet_book.report.surfaces.turnable; nothing is fetched.
(function () {
  "use strict";
  const COLOURS = { plain: [213, 94, 0], residual: [0, 114, 178] };
  const HEIGHT = 1.1; // of the box, where its floor goes from -1 to 1

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  // A point of the box (x and y from -1 to 1, z from 0 to 1) as the reader sees it: right, down, and how near.
  function project([x, y, z], turn, tilt) {
    const across = x * Math.cos(turn) - y * Math.sin(turn), along = x * Math.sin(turn) + y * Math.cos(turn);
    const up = HEIGHT * (z - 0.5);
    return [across, -along * Math.sin(tilt) - up * Math.cos(tilt), up * Math.sin(tilt) - along * Math.cos(tilt)];
  }

  // Where a loss stands between floor and ceiling, 0 to 1, on a logarithmic scale; what is beyond them is cut off.
  function heightOf(loss, { floor, ceiling }) {
    return Math.log(Math.min(Math.max(loss, floor), ceiling) / floor) / Math.log(ceiling / floor);
  }

  function digits(loss) {
    return loss >= 1e6 ? "a million or more" : loss.toLocaleString("en", { maximumSignificantDigits: 3 });
  }

  // What a surface shows, for those who cannot see it.
  function inWords(surface) {
    const all = surface.loss.flat(), middle = (surface.loss.length - 1) / 2;
    return `${surface.name}: loss ${digits(surface.loss[middle][middle])} in the middle, at the network itself; `
      + `from ${digits(Math.min(...all))} to ${digits(Math.max(...all))} on the whole plane.`;
  }

  function draw(canvas, surface, scene, turn, tilt) {
    const style = getComputedStyle(canvas), ink = style.color, paper = style.getPropertyValue("--surfaces-paper") || "#fff";
    const scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const unit = Math.min((width - 92) / 2.75, height / 3.0); // room for the numbers at the post
    const see = (point) => {
      const [right, down, near] = project(point, turn, tilt);
      return [width / 2 + unit * right, height / 2 + unit * down, near];
    };
    const path = (points) => {
      context.beginPath();
      points.forEach(([x, y], n) => (n ? context.lineTo(x, y) : context.moveTo(x, y)));
    };
    context.lineJoin = "round";
    context.font = "12px sans-serif";

    // The floor, and a post with the scale at its leftmost corner.
    context.strokeStyle = context.fillStyle = ink;
    context.globalAlpha = 0.5;
    const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
    path([...corners, corners[0]].map(([x, y]) => see([x, y, 0])));
    context.stroke();
    const [postX, postY] = corners.reduce((a, b) => (see([...b, 0])[0] < see([...a, 0])[0] ? b : a));
    path([see([postX, postY, 0]), see([postX, postY, 1])]);
    context.stroke();
    context.globalAlpha = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    if (tilt < 1.4) {
      for (let loss = scene.floor; loss <= scene.ceiling * 1.001; loss *= 10) {
        const [x, y] = see([postX, postY, heightOf(loss, scene)]);
        context.fillText(digits(loss), x - 6, y);
      }
    }

    context.textAlign = "center";
    for (const [words, edge] of [["first direction", [0, 1.25, 0]], ["second direction", [1.25, 0, 0]]]) {
      const [here, there] = [see(edge), see(edge.map((each) => -each))];
      const [x, y] = here[2] > there[2] ? here : there; // beside the edge that is nearer
      context.fillText(words, Math.min(Math.max(x, 48), width - 48), y + 6);
    }

    // The surface, the farthest pieces first.
    const count = scene.steps.length, pieces = [];
    const corner = (row, column) => [scene.steps[row], scene.steps[column], heightOf(surface.loss[row][column], scene)];
    for (let row = 0; row + 1 < count; row++) {
      for (let column = 0; column + 1 < count; column++) {
        const four = [corner(row, column), corner(row, column + 1), corner(row + 1, column + 1), corner(row + 1, column)];
        const seen = four.map(see);
        pieces.push({ seen, near: seen.reduce((sum, each) => sum + each[2], 0), z: four.reduce((sum, each) => sum + each[2], 0) / 4 });
      }
    }
    pieces.sort((a, b) => a.near - b.near);
    context.lineWidth = 0.7;
    for (const { seen, z } of pieces) {
      const colour = COLOURS[surface.kind].map((part) => Math.round(part + (245 - part) * 0.8 * (1 - z)));
      path(seen);
      context.closePath();
      context.fillStyle = `rgb(${colour})`;
      context.strokeStyle = paper;
      context.fill();
      context.stroke();
    }
    const [x, y] = see(corner((count - 1) / 2, (count - 1) / 2));
    context.beginPath();
    context.arc(x, y, 4, 0, 2 * Math.PI);
    context.fillStyle = ink;
    context.fill();
    context.strokeStyle = paper;
    context.lineWidth = 1.5;
    context.stroke();
  }

  function start(place) {
    const { scenes } = JSON.parse(place.querySelector("script[type='application/json']").textContent);
    const state = { scene: scenes[0], turn: 35, tilt: 30 };
    const views = element("div", { className: "surfaces-views" });
    const status = element("p", { className: "surfaces-status" });
    status.setAttribute("role", "status");
    const slider = (name, max) => {
      const input = element("input", { type: "range", min: 0, max, step: 5, value: state[name] });
      input.addEventListener("input", () => {
        state[name] = Number(input.value);
        redraw();
      });
      return input;
    };
    const turn = slider("turn", 360), tilt = slider("tilt", 90);
    const list = element("select", {}, ...scenes.map((each, n) => element("option", { value: n }, each.title)));
    list.addEventListener("change", () => {
      state.scene = scenes[Number(list.value)];
      show();
    });

    function redraw() {
      for (const slider of [turn, tilt]) slider.setAttribute("aria-valuetext", `${Math.round(slider.value)} degrees`);
      [...views.querySelectorAll("canvas")].forEach((canvas, n) =>
        draw(canvas, state.scene.surfaces[n], state.scene, (state.turn * Math.PI) / 180, (state.tilt * Math.PI) / 180));
    }
    function show() {
      views.replaceChildren(...state.scene.surfaces.map((surface) => {
        const canvas = element("canvas", {});
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `Loss on a plane: ${surface.name}`); // the status below says what it shows
        return element("div", { className: "surfaces-view" }, canvas, element("p", {}, surface.name));
      }));
      status.textContent = state.scene.surfaces.map(inWords).join(" ");
      redraw();
    }

    // Dragging turns; with a mouse it tilts, too (a finger that moves up or down scrolls the page).
    let last = null;
    views.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return; // a second finger, or the button of a menu
      last = event;
      views.setPointerCapture(event.pointerId);
    });
    views.addEventListener("pointermove", (event) => {
      if (!last || event.pointerId !== last.pointerId || event.buttons === 0) return;
      state.turn = (state.turn + (event.clientX - last.clientX) / 2 + 360) % 360;
      if (event.pointerType !== "touch")
        state.tilt = Math.min(90, Math.max(0, state.tilt + (event.clientY - last.clientY) / 2));
      last = event;
      turn.value = state.turn;
      tilt.value = state.tilt;
      redraw();
    });
    views.addEventListener("lostpointercapture", (event) => { // let go, or taken away by the browser
      if (last && event.pointerId === last.pointerId) last = null;
    });

    place.classList.add("surfaces-live"); // the still picture is left for paper
    place.querySelector(".surfaces-still").before(
      element("p", { className: "surfaces-tools" }, element("label", {}, "Show: ", list),
        element("label", {}, "Turn: ", turn), element("label", {}, "Tilt: ", tilt)),
      views, status);
    show();
    new ResizeObserver(redraw).observe(views);
    // Light or dark: an attribute of the page in the book, of its body in JupyterLab.
    const themes = new MutationObserver(() => (place.isConnected ? redraw() : themes.disconnect()));
    const attributeFilter = ["data-theme", "data-jp-theme-light"];
    for (const each of [document.documentElement, document.body]) themes.observe(each, { attributeFilter });
  }

  window.Surfaces = { project, heightOf };
  for (const place of document.querySelectorAll(".surfaces:not(.surfaces-live)")) start(place);
})();
