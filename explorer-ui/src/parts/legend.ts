/** What lines and marks of a picture mean, as far as they are in it. */

import { html, nothing, svg, type TemplateResult } from "lit-html";
import { DASHES, ROLE_MEANINGS } from "../drawing/node_shapes.ts";
import type { Role, Scene } from "../protocol.ts";

export function legendPart(scene: Scene): TemplateResult | typeof nothing {
  const roles = new Set<Role>(scene.edges.map((edge) => edge.role));
  const special = [...roles].filter((role) => DASHES[role]);
  if (!special.length) return nothing;
  return html`<ul class="legend" aria-label="What the lines mean">
    ${special.map(
      (role) =>
        html`<li title=${ROLE_MEANINGS[role]}>
          <svg viewBox="0 0 28 8" width="28" height="8" aria-hidden="true">
            ${svg`<path d="M0 4h28" stroke-dasharray=${DASHES[role] ?? ""} />`}
          </svg>
          ${role}
        </li>`,
    )}
  </ul>`;
}
