// Copying what stands in a field or a list, and printing the page: the buttons appear only where the browser can do it.
for (const button of document.querySelectorAll("[data-copy]")) {
  const kept = document.getElementById(button.dataset.copy);
  const told = document.getElementById("copied");
  if (!kept || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    kept.select?.();
    await navigator.clipboard.writeText(kept.value ?? kept.innerText.trim());
    told.textContent = button.dataset.done;
  });
}
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
