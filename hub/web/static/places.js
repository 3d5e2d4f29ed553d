// Looking for a place: suggestions as one types (ARIA 1.2 combobox), and the tree of territories narrowed by name.

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^a-z0-9]+/g, " ").trim();

export function placesFor(form, { changed, words }) {
  combo(form.querySelector('[data-combo="commune"]'), (place) => {
    const part = form.querySelector('[data-place="commune"]');
    part.replaceChildren(chip("commune", place.insee, `${place.name} (${place.departement_name})`));
    const zone = form.elements["event-zone"];
    if ([...zone.options].some((one) => one.value === place.zone)) zone.value = place.zone;
  });
  combo(form.querySelector('[data-combo="audience"]'), (place) => {
    const known = [...form.querySelectorAll("[name=audience]")].find((one) => one.value === place.code);
    if (known) known.checked = true;
    else form.querySelector('[data-place="places"]').append(chip("audience", place.code, `${place.name} (${place.departement_name})`));
    narrow("");
  }, narrow, ["picks", "places"]);

  function narrow(query) {
    const wanted = plain(query);
    for (const one of [...form.querySelectorAll("#tree li")].reverse()) {
      const fits = !wanted || plain(one.querySelector("label").textContent).includes(wanted);
      const inside = [...one.querySelectorAll("li")];
      one.hidden = !fits && !inside.some((each) => !each.hidden);
      if (wanted && fits) inside.forEach((each) => { each.hidden = false; });
      const fold = one.querySelector("details");
      if (wanted && fold && !fits && !one.hidden) fold.open = true;
    }
  }

  function chip(name, value, text) {
    const label = document.createElement("label"), input = document.createElement("input"), shown = document.createElement("span");
    label.className = "chip";
    Object.assign(input, { type: "checkbox", name, value, checked: true });
    shown.textContent = text;
    label.append(input, " ", shown);
    return label;
  }

  function combo(place, choose, typing = () => {}, places = []) {
    const input = place.querySelector("input[type=text]"), list = document.createElement("ul"), note = document.createElement("p");
    let found = [], at = -1, timer = 0, number = 0;
    list.id = `${input.id}-list`;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", place.querySelector("label").textContent.trim());
    list.className = "suggestions";
    list.hidden = true;
    note.className = "visually-hidden";
    note.setAttribute("role", "status");
    place.querySelector(".find").append(list, note);
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id]]) input.setAttribute(name, value);

    function show(open) {
      list.hidden = !open;
      input.setAttribute("aria-expanded", String(open));
      if (!open) go(-1);
    }
    function go(to) {
      at = to;
      [...list.children].forEach((one, row) => one.setAttribute("aria-selected", String(row === at)));
      if (at < 0) { input.removeAttribute("aria-activedescendant"); return; }
      input.setAttribute("aria-activedescendant", list.children[at].id);
      list.children[at].scrollIntoView({ block: "nearest" });
    }
    function take(row) {
      choose(found[row]);
      input.value = "";
      show(false);
      changed(places);
    }
    async function ask() {
      const mine = ++number, query = input.value.trim();
      if (query.length < 2) { show(false); return; }
      const answer = await fetch(`/api/v1/territories?query=${encodeURIComponent(query)}`).catch(() => null);
      if (!answer?.ok || mine !== number) return;
      found = (await answer.json()).slice(0, 8);
      list.replaceChildren(...found.map((one, row) => {
        const item = document.createElement("li"), small = document.createElement("small");
        item.id = `${list.id}-${row}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", "false");
        small.textContent = ` ${one.postcodes[0] ?? one.insee} · ${one.departement_name}`;
        item.append(one.name, small);
        item.addEventListener("mousedown", (event) => { event.preventDefault(); take(row); });
        return item;
      }));
      note.textContent = found.length ? words.some.replace("{count}", found.length) : words.none;
      show(found.length > 0);
    }
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 180); typing(input.value); });
    input.addEventListener("blur", () => show(false));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); if (!list.hidden) take(Math.max(at, 0)); else ask(); }
      else if (event.key === "Escape" && !list.hidden) { event.preventDefault(); show(false); }
      else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (list.hidden) { ask(); return; }
        const turn = event.key === "ArrowDown" ? 1 : -1;
        go((at + turn + found.length + (at < 0 && turn < 0 ? 1 : 0)) % found.length);
      }
    });
  }
}
