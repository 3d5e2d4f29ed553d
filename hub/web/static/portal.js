// Suggestions while a commune is typed, and « near me ». Without this script both forms and links work as they are.
const search = document.querySelector("form[data-suggest]");
const field = search?.elements.q;
const list = document.getElementById("communes");
const known = new Map();
let waiting = 0;
let asked = "";

async function suggest() {
  const typed = field.value.trim();
  if (known.has(typed)) {
    location.href = known.get(typed);
    return;
  }
  if (typed.length < 2 || typed === asked) return;
  asked = typed;
  const answer = await fetch(`${search.dataset.suggest}?q=${encodeURIComponent(typed)}`, { credentials: "omit" });
  if (!answer.ok || field.value.trim() !== typed) return;
  const found = await answer.json();
  list.replaceChildren(
    ...found.map((one) => {
      known.set(one.name, one.address);
      const option = document.createElement("option");
      option.value = one.name;
      return option;
    }),
  );
}

field?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => suggest().catch(() => {}), known.has(field.value.trim()) ? 0 : 150);
});

const near = document.querySelector("form.near");
if (near && "geolocation" in navigator) {
  const said = near.querySelector("[role=status]");
  near.hidden = false;
  near.addEventListener("submit", (event) => {
    if (near.elements.lat.value) return;
    event.preventDefault();
    said.textContent = near.dataset.wait;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        // About a kilometre: enough to know the commune, and no more ever leaves this device.
        near.elements.lat.value = coords.latitude.toFixed(2);
        near.elements.lon.value = coords.longitude.toFixed(2);
        near.submit();
        near.elements.lat.value = near.elements.lon.value = "";
      },
      () => {
        said.textContent = near.dataset.none;
        field?.focus();
      },
      { enableHighAccuracy: false, maximumAge: 600000, timeout: 10000 },
    );
  });
}
