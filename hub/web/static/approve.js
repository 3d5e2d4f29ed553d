// Keys for the approver's pages. Each only moves the focus or the page: none approves anything by itself.
// They are off inside fields and with Ctrl, Alt or Meta, and can be turned off for good on this device.

const KEPT = "relais-keys";
const help = document.querySelector("[data-keys]");
const choice = document.querySelector("[data-keys-on]");

function isOn() {
  try { return localStorage.getItem(KEPT) !== "off"; } catch { return true; }
}

function keep(on) {
  try { localStorage.setItem(KEPT, on ? "on" : "off"); } catch { /* private windows keep nothing */ }
}

function isTyping(target) {
  return target.isContentEditable || target.closest("textarea, select, input:not([type=checkbox], [type=radio])") !== null;
}

function titles() { return [...document.querySelectorAll("[data-queue]")]; }

function move(step) {
  const all = titles();
  const here = document.activeElement?.closest("li")?.querySelector("[data-queue]");
  const next = all[here ? all.indexOf(here) + step : step > 0 ? 0 : all.length - 1];
  next?.focus();
}

function follow(selector) { document.querySelector(selector)?.click(); }

function focus(selector) {
  const found = document.querySelector(selector);
  found?.scrollIntoView({ block: "center" });
  found?.focus();
}

const KEYS = {
  j: () => (titles().length ? move(1) : follow("[data-after]")),
  k: () => (titles().length ? move(-1) : follow("[data-before]")),
  x: () => document.activeElement?.closest("li")?.querySelector("[name=post]")?.click(),
  v: () => focus("[data-approve]"),
  r: () => focus("#reason"),
  "?": () => { if (help) { help.open = true; help.querySelector("summary").focus(); } },
};

document.addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.altKey || event.metaKey || !isOn() || isTyping(event.target)) return;
  event.preventDefault();
  act();
});

if (help && choice) {
  help.hidden = false;
  choice.checked = isOn();
  choice.addEventListener("change", () => keep(choice.checked));
}

const all = document.querySelector("[data-all]");
if (all) {
  all.hidden = false;
  all.querySelector("input").addEventListener("change", (event) => {
    for (const box of document.querySelectorAll("[name=post]")) box.checked = event.target.checked;
  });
}
