// An image that the reader pads, crops and mirrors by mouse, finger or keyboard, as resnet_book.augment does.
// The data stands in the page, written by resnet_book.report.crop.movable; nothing is fetched.
(function () {
  "use strict";

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  // Where row or column `at` of the padded image comes from in the original of `size`; -1: from nowhere, black.
  function sourceOf(at, size, padding, mode) {
    const place = at - padding;
    if (place >= 0 && place < size) return place;
    if (mode === "zeros") return -1;
    if (mode === "edge") return place < 0 ? 0 : size - 1;
    return place < 0 ? -place : 2 * (size - 1) - place; // reflect
  }

  // The pixels (height * width * 3, row by row) of a window of the padded image; mirrored from left to right if asked.
  function windowOf({ pixels, size, padding }, mode, top, left, height, width, mirrored) {
    const found = new Uint8ClampedArray(height * width * 3);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const from = sourceOf(top + row, size, padding, mode);
        const across = sourceOf(left + (mirrored ? width - 1 - column : column), size, padding, mode);
        if (from < 0 || across < 0) continue;
        for (let channel = 0; channel < 3; channel++)
          found[3 * (row * width + column) + channel] = pixels[3 * (from * size + across) + channel];
      }
    }
    return found;
  }

  function paint(canvas, pixels, height, width) {
    const context = canvas.getContext("2d", { willReadFrequently: true }), data = context.createImageData(width, height);
    for (let place = 0; place < height * width; place++) {
      for (let channel = 0; channel < 3; channel++) data.data[4 * place + channel] = pixels[3 * place + channel];
      data.data[4 * place + 3] = 255;
    }
    canvas.width = width;
    canvas.height = height;
    context.putImageData(data, 0, 0);
  }

  function inWords({ top, left, mirrored }, padding) {
    const down = top - padding, right = left - padding, moved = [];
    if (down) moved.push(`${Math.abs(down)} ${down > 0 ? "down" : "up"}`);
    if (right) moved.push(`${Math.abs(right)} to the ${right > 0 ? "right" : "left"}`);
    const where = moved.length ? `The window is moved ${moved.join(" and ")}` : "The window is in the middle";
    return `${where}${mirrored ? `, ${moved.length ? "then" : "and"} mirrored` : moved.length ? "" : ": this is the original"}.`;
  }

  function start(place) {
    const { images, size, padding } = JSON.parse(place.querySelector("script[type='application/json']").textContent);
    const sources = images.map((each) => ({ size, padding, pixels: Uint8Array.from(atob(each), (one) => one.charCodeAt(0)) }));
    const whole = size + 2 * padding, state = { image: sources[0], mode: "zeros", top: padding, left: padding, mirrored: false };
    const padded = element("canvas", { className: "crop-padded" }), seen = element("canvas", { className: "crop-seen" });
    const frame = element("div", { className: "crop-frame" });
    const status = element("p", { className: "crop-status" });
    status.setAttribute("role", "status");
    for (const canvas of [padded, seen]) canvas.setAttribute("role", "img");
    padded.setAttribute("aria-label", "The padded image");
    seen.setAttribute("aria-label", "What the network gets"); // the status below says what it shows

    function redraw() {
      paint(padded, windowOf(state.image, state.mode, 0, 0, whole, whole, false), whole, whole);
      paint(seen, windowOf(state.image, state.mode, state.top, state.left, size, size, state.mirrored), size, size);
      Object.assign(frame.style, { top: `${(100 * state.top) / whole}%`, left: `${(100 * state.left) / whole}%`, width: `${(100 * size) / whole}%`, height: `${(100 * size) / whole}%` });
      top.value = state.top;
      left.value = state.left;
      mirrored.checked = state.mirrored;
      status.textContent = `top ${state.top}, left ${state.left}, mirrored ${Number(state.mirrored)}. ${inWords(state, padding)}`;
    }
    function change(properties) {
      Object.assign(state, properties);
      redraw();
    }
    const slider = (name) => {
      const input = element("input", { type: "range", min: 0, max: 2 * padding, step: 1 });
      input.addEventListener("input", () => change({ [name]: Number(input.value) }));
      return input;
    };
    const list = (names, act) => {
      const select = element("select", {}, ...names.map((name, value) => element("option", { value }, name)));
      select.addEventListener("change", () => act(Number(select.value)));
      return select;
    };
    const modes = ["zeros", "edge", "reflect"], any = () => Math.floor(Math.random() * (2 * padding + 1));
    const top = slider("top"), left = slider("left"), mirrored = element("input", { type: "checkbox" });
    mirrored.addEventListener("change", () => change({ mirrored: mirrored.checked }));
    const draw = element("button", { type: "button" }, "Draw at random");
    draw.addEventListener("click", () => change({ top: any(), left: any(), mirrored: Math.random() < 0.5 }));

    // Dragging moves the window.
    let last = null;
    const views = element("div", { className: "crop-views" },
      element("div", {}, element("div", { className: "crop-stage" }, padded, frame), element("p", {}, "padded, and the window")),
      element("div", {}, seen, element("p", {}, "what the network gets")));
    const stage = views.querySelector(".crop-stage");
    const within = (value) => Math.min(2 * padding, Math.max(0, Math.round(value)));
    stage.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return; // a second finger, or the button of a menu
      last = { pointer: event.pointerId, x: event.clientX, y: event.clientY, top: state.top, left: state.left };
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      if (!last || event.pointerId !== last.pointer || event.buttons === 0) return;
      const pixel = stage.clientWidth / whole;
      change({ top: within(last.top + (event.clientY - last.y) / pixel), left: within(last.left + (event.clientX - last.x) / pixel) });
    });
    stage.addEventListener("lostpointercapture", (event) => { // let go, or taken away by the browser
      if (last && event.pointerId === last.pointer) last = null;
    });

    place.querySelector(".crop-still").replaceWith(
      element("p", { className: "crop-tools" },
        element("label", {}, "Image: ", list(images.map((_, n) => n + 1), (n) => change({ image: sources[n] }))),
        element("label", {}, "Padding: ", list(modes, (n) => change({ mode: modes[n] }))),
        element("label", {}, "top: ", top), element("label", {}, "left: ", left), element("label", {}, mirrored, " mirrored"), draw),
      views, status);
    redraw();
  }

  window.Crop = { windowOf };
  for (const place of document.querySelectorAll(".crop")) if (place.querySelector(".crop-still")) start(place);
})();
