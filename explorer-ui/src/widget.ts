/** Mounts the explorer into a notebook's output, as anywidget asks for it. */

import { App } from "./app.ts";
import { WidgetClient, type WidgetModel } from "./client.ts";
import { MemoryRouter } from "./router.ts";

function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  const root = document.createElement("div");
  const height = Number(model.get("height")) || 640;
  root.style.height = `${height}px`;
  el.append(root);
  const client = new WidgetClient(model);
  const start = model.get("start");
  const app = new App(root, client, new MemoryRouter(typeof start === "string" && start ? start : null));
  return () => {
    app.stop();
    client.stop();
    root.remove();
  };
}

export default { render };
