// The page of a post, livelier: kept while one types, shown as networks will show it, small steps without a new page.
// Everything here also works without it: each button sends the form, and the page comes back with what was asked.
const form = document.getElementById("compose");
const { placesFor } = await import(form.dataset.places);
const words = JSON.parse(form.dataset.words);
const said = document.getElementById("kept");
const shelf = `relais-feuille-${form.dataset.person}-${form.elements.post.value || "nouvelle"}`;
const later = { keep: 0, look: 0 };
let asked = 0;
let changed = false;
let safe = true;
let leaving = false;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const soon = (what, wait, action) => { clearTimeout(later[what]); later[what] = setTimeout(action, wait); };

function typed(step = "") {
  const data = new FormData(form);
  data.delete("picture-file");
  data.delete("csrf");
  if (step) data.set("step", step);
  return new URLSearchParams(data);
}

function send(address, body, more = {}) {
  const token = document.querySelector("meta[name=csrf]").content;
  return fetch(address, { method: "POST", body, headers: { "X-CSRF-Token": token, Accept: "application/json, text/html" }, redirect: "error", ...more });
}

// --- Kept while one types -----------------------------------------------------------------------------------

async function keep(more = {}) {
  if (!changed) return;
  const body = typed();
  changed = false;
  try {
    const answer = await send("/equipe/feuilles", body, more);
    if (!answer.ok) throw answer;
    said.textContent = fill(words.kept, { time: (await answer.json()).at });
    said.className = "kept";
    safe = true;
    localStorage.removeItem(shelf);
  } catch (trouble) {
    changed = true;
    shelve(body);
    said.textContent = trouble.status === 401 || trouble.status === 403 ? words.gone : words.away;
    said.className = "kept trouble";
  }
}

function shelve(body) {
  try {
    localStorage.setItem(shelf, JSON.stringify({ at: Date.now(), pairs: [...body] }));
    safe = true;
  } catch {
    safe = false;
  }
}

function offer() {
  const found = document.getElementById("found");
  let kept;
  try { kept = JSON.parse(localStorage.getItem(shelf)); } catch { kept = null; }
  if (!kept || Date.now() - kept.at > 30 * 86400e3) return;
  found.hidden = false;
  found.querySelector("[data-forget]").addEventListener("click", () => { localStorage.removeItem(shelf); found.hidden = true; });
  found.querySelector("[data-take]").addEventListener("click", async () => {
    const body = new URLSearchParams(kept.pairs);
    const answer = await send("/equipe/feuilles", body).catch(() => null);
    if (!answer?.ok) { said.textContent = words.away; return; }
    localStorage.removeItem(shelf);
    leaving = true;
    location.assign(`${form.getAttribute("action")}?feuille=${body.get("sheet")}`);
  });
}

// --- Shown as it will be ------------------------------------------------------------------------------------

const PASSIVE = ["look", "counters", "audience-told", "when-told", "confirm"];

async function look(step = "", places = []) {
  const number = ++asked;
  const answer = await send("/equipe/publications/apercu", typed(step || "preview")).catch(() => null);
  if (!answer?.ok || number !== asked) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const name of [...PASSIVE, ...places]) swap(name, fresh);
  if (accountsDiffer(fresh)) swap("accounts", fresh);
  return true;
}

const here = (name) => document.querySelector(`#compose [data-place="${name}"]`);

function swap(name, fresh) {
  const old = here(name), now = fresh.querySelector(`[data-place="${name}"]`);
  if (!old || !now) return;
  // What is ticked does not show in the marks: blocks with fields are always put in anew.
  if (!old.querySelector("input, textarea") && old.innerHTML.trim() === now.innerHTML.trim()) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  old.replaceChildren(...now.childNodes);
  if (name === "look" || name === "tree") old.querySelectorAll("details").forEach((one, place) => { one.open ||= open[place] ?? false; });
  if (!focused) return;
  const same = [...old.querySelectorAll(focused.tagName)].find((one) => one.name === focused.name && one.value === focused.value);
  (same ?? old.querySelector("button, input:not([type=hidden])") ?? old.closest("section")?.querySelector("h2"))?.focus();
}

function accountsDiffer(fresh) {
  const now = fresh.querySelector('[data-place="accounts"]'), old = here("accounts");
  if (old.contains(document.activeElement) && document.activeElement.tagName === "TEXTAREA") return false;
  const told = (place) => [...place.querySelectorAll("[name=proposed], [name=accepts-unlimited], [name=account]:checked")].map((one) => `${one.name}${one.value}`).join() + place.querySelector(".hint").textContent;
  return told(now) !== told(old);
}

// --- Counted at once ----------------------------------------------------------------------------------------

// As X weighs: these letters one, all others two, a link 23, an emoji two whatever it is made of. The server knows best.
const LIGHT = /[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]/u;
const EMOJI = /^\p{Extended_Pictographic}|^\p{Regional_Indicator}{2}|^[0-9#*]\uFE0F?\u20E3/u;
const parts = Intl.Segmenter ? (text) => [...new Intl.Segmenter().segment(text)].map((one) => one.segment) : (text) => [...text];

function length(text, network) {
  if (network !== "x") return [...text].length;
  let weight = 0;
  const plain = text.normalize("NFC").replace(/https?:\/\/[^\s]+/giu, () => { weight += 23; return ""; });
  for (const part of parts(plain)) weight += EMOJI.test(part) ? 2 : [...part].reduce((sum, letter) => sum + (LIGHT.test(letter) ? 1 : 2), 0);
  return weight;
}

function count(area, list) {
  if (!list) return;
  list.hidden = area.id !== "text" && !area.value.trim();
  for (const one of list.querySelectorAll("li")) {
    const link = one.dataset.network === "x" && form.elements.link.value.trim() ? 24 : 0;
    const now = length(area.value, one.dataset.network) + link;
    one.querySelector("b").textContent = now;
    one.classList.toggle("over", now > Number(one.dataset.most));
  }
}

// --- Pictures -----------------------------------------------------------------------------------------------

async function upload(files) {
  const list = document.getElementById("picture-list"), note = document.getElementById("picture-said");
  const rows = [...form.querySelectorAll("[name^=picture-][name$=-id]")].map((one) => Number(one.name.split("-")[1]));
  let next = Math.max(-1, ...rows) + 1;
  note.textContent = words.uploading;
  const refused = [];
  for (const file of files) {
    const item = document.createElement("li"), shown = document.createElement("img");
    item.className = "picture sending";
    shown.alt = "";
    shown.src = URL.createObjectURL(file);
    item.append(shown);
    list.append(item);
    const body = new FormData();
    body.append("file", file);
    const answer = await send("/equipe/publications/images", body).catch(() => null);
    URL.revokeObjectURL(shown.src);
    if (!answer?.ok) {
      item.remove();
      refused.push(`${file.name} : ${(await answer?.json().catch(() => null))?.detail ?? words.refused}`);
      continue;
    }
    const hidden = Object.assign(document.createElement("input"), { type: "hidden", name: `picture-${next++}-id`, value: (await answer.json()).id });
    item.append(hidden);
  }
  note.textContent = refused.join(" ");
  note.className = refused.length ? "wrong" : "quiet";
  touched();
  if (await look("upload", ["pictures"])) document.querySelector(`#picture-list li:last-child input[type=text]`)?.focus();
}

// --- What happens -------------------------------------------------------------------------------------------

function pressed() {
  const codes = [...form.querySelectorAll("[name=audience]:checked")].map((one) => one.value).join();
  for (const one of form.querySelectorAll("[data-pick]")) one.setAttribute("aria-pressed", String(one.dataset.pick === codes));
}

function touched() {
  changed = true;
  soon("keep", 2500, keep);
}

const STEPS = { "add-timing": ["timings"], "drop-timing": ["timings"], "drop-picture": ["pictures"], "up-picture": ["pictures"], pick: ["picks", "places", "tree"], "find-commune": ["commune"], "find-territory": ["places"] };

async function step(button) {
  const value = button.value, places = STEPS[value.split(":")[0]];
  touched();
  const done = await look(value, places);
  if (!done) { leaving = true; form.requestSubmit(button); return; }
  if (value === "add-timing") document.querySelector("#timings fieldset:last-child input")?.focus();
  else if (value.startsWith("pick")) document.querySelector(`[data-pick="${value.slice(5)}"]`)?.focus();
  else if (value.startsWith("find")) here(places[0]).querySelector("input, p")?.focus();
}

form.addEventListener("input", (event) => {
  touched();
  const area = event.target;
  if (area.id === "text") count(area, document.querySelector("#counters ul"));
  else if (area.name?.startsWith("variant-")) count(area, area.parentElement.querySelector("ul"));
  else if (area.id === "link") count(form.elements.text, document.querySelector("#counters ul"));
  if (area.name === "audience") pressed();
  if (area.type !== "text" || !area.closest(".combo")) soon("look", 700, look);
});

form.addEventListener("change", (event) => {
  if (event.target.id === "picture-file" && event.target.files.length) {
    const files = [...event.target.files];
    event.target.value = "";
    upload(files);
  }
});

form.addEventListener("click", (event) => {
  const button = event.target.closest("button[name=step]");
  if (!button || leaving) return;
  if (button.value === "preview") {
    event.preventDefault();
    look().then((done) => {
      if (!done) { leaving = true; form.requestSubmit(button); return; }
      document.getElementById("look-title").scrollIntoView({ block: "start" });
      document.getElementById("look-title").focus({ preventScroll: true });
    });
  } else if (STEPS[button.value.split(":")[0]]) {
    event.preventDefault();
    step(button);
  }
});

form.addEventListener("submit", () => { leaving = true; clearTimeout(later.keep); });
addEventListener("pagehide", () => { if (!leaving) keep({ keepalive: true }); });
document.addEventListener("visibilitychange", () => { if (document.hidden && !leaving) keep({ keepalive: true }); });
addEventListener("beforeunload", (event) => { if (!safe && !leaving) event.preventDefault(); });
addEventListener("pageshow", () => { leaving = false; });

placesFor(form, { changed: (places) => { touched(); look(places.length ? "chosen" : "", places).then(pressed); }, words });
if (form.elements.text.value) count(form.elements.text, document.querySelector("#counters ul"));
offer();
document.getElementById("problems")?.focus();
