/** The list of keys, and what the page is made of. */

import { html, type TemplateResult } from "lit-html";
import type { Licence } from "../protocol.ts";

const KEYS: [keys: string, what: string][] = [
  ["/", "search names, URIs and types"],
  ["← →", "follow the edges, against and along the data's way"],
  ["↑ ↓", "the next node of the same column, or the next row"],
  ["Home End", "the first and the last node"],
  ["Enter", "open: the details of a node, a row's run"],
  ["Shift Enter", "start anew from a node"],
  ["Space", "choose a node, or a row to compare; again to let go"],
  ["e", "expand or unfold a node"],
  ["+ − 0", "larger, smaller, all of it"],
  ["t", "the same as a table"],
  ["Esc", "let go, close"],
  ["Alt ←", "undo: the view before"],
  ["?", "this list"],
];

export function keysDialog(): TemplateResult {
  return html`<dialog class="keys" aria-label="Keys" @click=${closeOutside}>
    <form method="dialog"><button class="plain close" aria-label="Close">×</button></form>
    <h2>Keys</h2>
    <dl>
      ${KEYS.map(
        ([keys, what]) =>
          html`<div><dt>${keys.split(" ").map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${what}</dd></div>`,
      )}
    </dl>
  </dialog>`;
}

export function aboutDialog(licences: Licence[] | null): TemplateResult {
  return html`<dialog class="about" aria-label="About" @click=${closeOutside}>
    <form method="dialog"><button class="plain close" aria-label="Close">×</button></form>
    <h2>About</h2>
    <p>
      The explorer of mlmd_lineage shows what an ML Metadata store holds. It only reads, and it loads nothing from
      anywhere else. Licence: Apache-2.0.
    </p>
    <h3>Libraries in this page</h3>
    ${licences === null
      ? html`<p>The list is being asked for.</p>`
      : licences.map(
          ({ name, version, licence, text }) =>
            html`<details>
              <summary>${name} ${version}, ${licence}</summary>
              <pre tabindex="0">${text}</pre>
            </details>`,
        )}
  </dialog>`;
}

function closeOutside(event: MouseEvent): void {
  const dialog = event.currentTarget as HTMLDialogElement;
  if (event.target === dialog) dialog.close();
}
