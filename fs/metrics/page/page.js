"use strict";

// Keeps the page as the daemon tells it to be. Whatever comes is made by the daemon, which has
// escaped what is not its own.

const longestSilence = 60_000; // milliseconds; while something is going there is news each second
const live = document.getElementById("live");
const shown = new Map();
let source = null;
let heard = 0;

function show(parts) {
  for (const [id, html] of Object.entries(parts)) {
    if (shown.get(id) === html) continue; // somebody may be about to press a button in it
    shown.set(id, html);
    const part = document.getElementById(id);
    if (part) part.innerHTML = html;
  }
}

function leave(why) {
  if (source) source.close();
  source = null;
  live.textContent = why;
}

function watch() {
  leave("");
  source = new EventSource("/events");
  source.onmessage = (event) => {
    heard = Date.now();
    live.textContent = "Live";
    show(JSON.parse(event.data));
  };
  source.addEventListener("replaced", () => leave("Not live any more: others are looking. Load it again."));
  source.onerror = () => {
    const ended = source && source.readyState === EventSource.CLOSED;
    if (ended) return leave("Not live: load it again.");
    live.textContent = "The mount does not answer; it is asked again.";
  };
}

// A phone that sleeps, or has lost its network, is not told that its connection has gone.
function look() {
  const going = document.querySelector("#state .going") !== null;
  if (source && going && Date.now() - heard > longestSilence) watch();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) leave("");
  else watch();
});
window.addEventListener("online", watch);
setInterval(look, longestSilence / 4);
if (!document.hidden) watch();
