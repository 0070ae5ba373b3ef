/** All that a node had an effect on, as a table. */

import { nothing } from "lit-html";
import { formatAddress } from "../address.ts";
import type { ImpactAnswer } from "../protocol.ts";
import { keyLink, namePart } from "./marks.ts";
import type { TableOptions } from "./virtual_table.ts";
import { html } from "lit-html";

type Row = ImpactAnswer["rows"][number];

export function impactTable(rows: Row[]): TableOptions<Row> {
  return {
    label: "What it had an effect on",
    total: rows.length,
    row: (number) => rows[number] ?? null,
    columns: [
      { key: "name", name: "name", label: "name", cell: (row) => keyLink(row.key, row.label) },
      { key: "key", name: "key", label: "key", cell: (row) => row.key },
      { key: "type", name: "type", label: "type", cell: (row) => namePart(row.type ?? "", 40) },
      { key: "hops", name: "hops", label: "hops", className: "number", cell: (row) => String(row.hops ?? "") },
      {
        key: "run",
        name: "run",
        label: "run",
        cell: (row) =>
          row.run
            ? html`<a href=${formatAddress("run", row.run, { pipeline: row.pipeline })}>${namePart(row.run, 40)}</a>`
            : nothing,
      },
      {
        key: "pipeline",
        name: "pipeline",
        label: "pipeline",
        cell: (row) => (row.pipeline ? namePart(row.pipeline, 40) : nothing),
      },
    ],
  };
}
