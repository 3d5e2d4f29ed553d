// What can be seen of a page from inside: each question answers with plain values, most with what is wrong.
({
  headings() {
    return [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
      .filter((one) => one.checkVisibility())
      .map((one) => [Number(one.tagName[1]), one.textContent.trim()]);
  },

  landmarks() {
    return {
      main: document.querySelectorAll("main").length,
      header: document.querySelectorAll("body > header").length,
      footer: document.querySelectorAll("body > footer").length,
      nameless: document.querySelectorAll("nav:not([aria-label])").length,
      language: document.documentElement.lang,
    };
  },

  unfold() {
    for (const one of document.querySelectorAll("details")) one.open = true;
  },

  // By how much the page scrolls sideways, and what may be the cause.
  stickingOut() {
    const wide = document.scrollingElement.scrollWidth;
    const room = document.documentElement.clientWidth;
    if (wide <= room) return [];
    const out = [...document.querySelectorAll("body *")]
      .filter((one) => !one.closest(".scroll, .visually-hidden, .skip"))
      .map((one) => [one, Math.round(one.getBoundingClientRect().right)])
      .filter(([, right]) => right > room)
      .map(([one, right]) => `${this.called(one)} to ${right}`);
    return [`${wide} px in ${room} px`, ...out.slice(0, 6)];
  },

  // Words that no longer fit into what holds them, and are hidden.
  cutOff() {
    return [...document.querySelectorAll("button, a, label, th, td, h1, h2, h3, p, summary, .button, .badge")]
      .filter((one) => one.checkVisibility() && !one.closest(".visually-hidden, .skip"))
      .filter((one) => ["hidden", "clip"].includes(getComputedStyle(one).overflowX))
      .filter((one) => one.scrollWidth > one.clientWidth + 1)
      .map((one) => `cut off: ${this.called(one)}`);
  },

  moving() {
    const moves = (style) =>
      style.animationName !== "none" ||
      style.scrollBehavior === "smooth" ||
      style.transitionDuration.split(",").some((part) => parseFloat(part) > 0);
    return [...document.querySelectorAll("*")].filter((one) => moves(getComputedStyle(one))).map(this.called);
  },

  // WCAG excepts links within a sentence, and what is there again in another way: the map has its table.
  smallTargets() {
    const inText = (one) => one.tagName === "A" && getComputedStyle(one).display === "inline";
    return [...document.querySelectorAll("a[href], button, summary, select, input:not([type=hidden])")]
      .filter((one) => one.checkVisibility({ visibilityProperty: true }))
      .filter((one) => !one.closest(".visually-hidden, .skip, svg") && !inText(one))
      .filter((one) => one.getBoundingClientRect().width > 0)
      .filter((one) => ![one, one.matches("input") && one.closest("label")].some((box) => box && this.isLarge(box)))
      .map((one) => [this.called(one), one.getBoundingClientRect()])
      .map(([called, box]) => `${called}: ${Math.round(box.width)} × ${Math.round(box.height)}`);
  },

  isLarge(one) {
    const box = one.getBoundingClientRect();
    return box.width >= 24 && box.height >= 24;
  },

  buttonsThatNeedScripts() {
    return [...document.querySelectorAll("button")]
      .filter((one) => one.checkVisibility() && (one.type === "button" || !one.form))
      .map(this.called);
  },

  formsWithoutButton() {
    return [...document.forms]
      .filter((one) => one.checkVisibility() && ![...one.elements].some((part) => part.type === "submit"))
      .map((one) => one.action);
  },

  // What is wrong and not tied to its field: by its description, or by the links of the summary.
  untied() {
    const described = new Set(
      [...document.querySelectorAll("[aria-describedby]")].flatMap((one) =>
        one.getAttribute("aria-describedby").split(/\s+/).filter(Boolean),
      ),
    );
    const known = (id) => document.getElementById(id) !== null;
    return [
      ...[...document.querySelectorAll(".wrong")]
        .filter((one) => !described.has(one.id))
        .map((one) => `no field is tied to: ${one.textContent.trim()}`),
      ...[...document.querySelectorAll("[aria-invalid=true]:not([aria-describedby])")]
        .map((one) => `no words at ${this.called(one)}`),
      ...[...described].filter((id) => !known(id)).map((id) => `described by ${id}, which is not there`),
      ...[...document.querySelectorAll("#problems a")]
        .filter((one) => !known(decodeURIComponent(one.hash.slice(1))))
        .map((one) => `leads nowhere: ${one.hash}`),
    ];
  },

  // --- with Tab ---

  // Everything that Tab must come by; of a group of radio buttons, one.
  tabStops() {
    const groups = new Set();
    const isFirst = (one) => {
      if (one.type !== "radio" || !one.name) return true;
      const group = `${[...document.forms].indexOf(one.form)} ${one.name}`;
      return !groups.has(group) && groups.add(group);
    };
    const controls = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
    window.stops = [...document.querySelectorAll(controls)]
      .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.tabIndex >= 0)
      .filter(isFirst);
    window.visited = new Set();
    return window.stops.length;
  },

  // Where Tab has led: whether that is new, and whether its focus can be seen.
  arrive() {
    const here = document.activeElement;
    if (here === null || here === document.body) return { end: true, name: "the page" };
    const again = window.visited.has(here);
    window.visited.add(here);
    const box = here.getBoundingClientRect();
    const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    const ring = [here, here.closest("label")].some((one) => one && this.isRinged(getComputedStyle(one)));
    const outlined = here.closest("svg") && parseFloat(getComputedStyle(here.querySelector("path, rect")).strokeWidth) >= 2;
    return { end: false, again, seen: inside && Boolean(ring || outlined), name: this.called(here) };
  },

  isRinged(style) {
    return style.outlineStyle === "auto" || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  },

  missed() {
    const groups = new Set([...window.visited].filter((one) => one.type === "radio").map((one) => one.name));
    return window.stops
      .filter((one) => !window.visited.has(one) && !(one.type === "radio" && groups.has(one.name)))
      .map(this.called);
  },

  called(one) {
    const words = one.id || one.name || one.getAttribute("class") || one.getAttribute("href") || (one.textContent || "").trim().slice(0, 40);
    return `${one.tagName.toLowerCase()} ${words}`;
  },
})
