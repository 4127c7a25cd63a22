"use strict";

// A page that shows a running run keeps itself up to date by server-sent events. Its browser reconnects by itself; until
// it does, the page says that what it shows may be old.
const progress = document.getElementById("progress");

function replaceParts(event) {
  for (const [name, html] of Object.entries(JSON.parse(event.data))) {
    const place = document.getElementById(name);
    const scrolled = [...place.querySelectorAll(".scroll")].map((each) => each.scrollTop);
    place.innerHTML = html; // made by the server, in which every text of a run is escaped
    place.querySelectorAll(".scroll").forEach((each, index) => { each.scrollTop = scrolled[index] ?? 0; });
  }
}

if (progress !== null && progress.dataset.live) {
  const connection = document.getElementById("connection");
  const source = new EventSource(progress.dataset.live);
  source.addEventListener("open", () => { connection.textContent = ""; });
  source.addEventListener("parts", replaceParts);
  source.addEventListener("ended", (event) => { replaceParts(event); source.close(); });
  source.addEventListener("gone", (event) => {
    source.close();
    connection.textContent = `This run is gone: ${JSON.parse(event.data)}`;
  });
  source.addEventListener("error", () => {
    connection.textContent = "No connection to the server; trying again. What stands here may be old.";
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => location.reload(), 5000);
    }
  });
}
