/** The address of a view: a fragment such as `#/lineage/artifact:3?direction=upstream&hops=2`. */

export const VIEWS = ["overview", "pipeline", "run", "lineage", "path", "impact", "diff", "search"] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Address {
  view: ViewName;
  /** The name of the pipeline or run, or the key of the node. */
  name: string;
  args: Record<string, string>;
}

/** Views whose name may be a node key, whose `/` is written `:` in an address. */
const OF_NODES: readonly ViewName[] = ["lineage", "impact", "run", "pipeline"];
// The key of a run that has no context of its own goes on with a colon and its name.
const KEY = /^(artifact|execution|context)[/:](\d+)(?=$|:)/;

/** Return the address that a fragment says; what it does not understand is the overview. */
export function parseAddress(fragment: string): Address {
  const [path, query = ""] = split(fragment.replace(/^#?\/?/, ""), "?");
  const [word, name = ""] = split(path, "/");
  const view = VIEWS.find((known) => known === word) ?? "overview";
  const decoded = decoded_(name);
  const args: Record<string, string> = {};
  for (const [key, value] of new URLSearchParams(query)) args[key] = value;
  return { view, name: OF_NODES.includes(view) ? decoded.replace(KEY, "$1/$2") : decoded, args };
}

/** Return the fragment of an address; arguments that are empty or left out do not show. */
export function formatAddress(
  view: ViewName,
  name = "",
  args: Record<string, string | number | boolean | null | undefined> = {},
): string {
  const shown = OF_NODES.includes(view) ? name.replace(KEY, "$1:$2") : name;
  const path = view === "overview" ? "" : `${view}${shown ? `/${encoded(shown)}` : ""}`;
  const query = Object.entries(args)
    .filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
    .map(([key, value]) => `${encoded(key)}=${encoded(value === true ? "1" : String(value))}`)
    .join("&");
  return `#/${path}${query ? `?${query}` : ""}`;
}

/** Return the address of what a search found or a table names: a node, a run or a pipeline. */
export function addressOfKey(key: string, pipeline?: string | null): string {
  if (key.startsWith("run:")) return formatAddress("run", key.slice(4), { pipeline });
  if (key.startsWith("pipeline:")) return formatAddress("pipeline", key.slice(9));
  return formatAddress("lineage", key);
}

/** Return the address of a run: by its key, as names may be shared. */
export function runAddress(name: string, key?: string | null, pipeline?: string | null): string {
  return key ? formatAddress("run", key) : formatAddress("run", name, { pipeline });
}

/** Return the members of a list that is written into one argument. */
export function listed(text: string | undefined): string[] {
  return text ? text.split(",").filter(Boolean).map(decoded_) : [];
}

/** Return a list as one argument. */
export function joined(texts: readonly string[]): string {
  return texts.map((text) => text.replace(/[%,]/g, encodeURIComponent)).join(",");
}

function encoded(text: string): string {
  // A lone surrogate cannot be encoded.
  return encodeURIComponent(text.toWellFormed()).replace(/%3A/g, ":").replace(/%2C/g, ",");
}

function decoded_(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function split(text: string, at: string): [string, string?] {
  const found = text.indexOf(at);
  return found < 0 ? [text] : [text.slice(0, found), text.slice(found + 1)];
}
