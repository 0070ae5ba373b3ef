/** Mounts the explorer into a page that the server sent, or into one that holds its own data. */

import { App } from "./app.ts";
import { ServerClient } from "./client.ts";
import { PageClient, type PageData } from "./offline/page_client.ts";
import { FragmentRouter, MemoryRouter } from "./router.ts";

function mount(): void {
  const root = document.getElementById("explorer");
  if (!root) return;
  const held = document.getElementById("data");
  root.replaceChildren();
  if (held) {
    const data = JSON.parse(held.textContent) as PageData;
    // Within a frame of a notebook the page has no address of its own.
    const isFramed = location.protocol === "about:";
    const router = isFramed ? new MemoryRouter(data.start) : new FragmentRouter(data.start);
    new App(root, new PageClient(data), router, data.title);
  } else {
    new App(root, new ServerClient(), new FragmentRouter());
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mount);
else mount();
