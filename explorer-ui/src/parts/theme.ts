/** Light or dark: as the system has it, or as the reader chose. */

const NAMES = ["system", "light", "dark"] as const;
const ICONS = { system: "◐", light: "☀", dark: "☾" };
const STORED = "mlmd-lineage-colours";

export class Theme {
  private chosen: (typeof NAMES)[number];
  private readonly system = window.matchMedia("(prefers-color-scheme: dark)");

  constructor(
    private readonly root: HTMLElement,
    private readonly changed: () => void,
  ) {
    this.chosen = NAMES.find((name) => name === stored()) ?? "system";
    this.apply();
    this.system.addEventListener("change", this.apply);
  }

  stop(): void {
    this.system.removeEventListener("change", this.apply);
  }

  get isDark(): boolean {
    return this.chosen === "dark" || (this.chosen === "system" && this.system.matches);
  }

  get name(): string {
    return this.chosen;
  }

  get icon(): string {
    return ICONS[this.chosen];
  }

  next(): void {
    this.chosen = NAMES[(NAMES.indexOf(this.chosen) + 1) % NAMES.length] ?? "system";
    try {
      localStorage.setItem(STORED, this.chosen);
    } catch {
      // A page that may store nothing forgets it.
    }
    this.apply();
  }

  private readonly apply = (): void => {
    this.root.classList.toggle("dark", this.isDark);
    this.changed();
  };
}

function stored(): string | null {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}
