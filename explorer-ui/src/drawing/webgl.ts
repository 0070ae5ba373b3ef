/** Boxes and lines of a big scene, drawn by WebGL 2 from buffers that never change. */

import type { BigScene } from "./big_scene_data.ts";
import type { View } from "./viewport.ts";

export type Colour = [red: number, green: number, blue: number];

export interface Palette {
  /** Of boxes: artifacts, executions, folds. */
  fills: [Colour, Colour, Colour];
  lines: [Colour, Colour, Colour];
  failed: Colour;
  edge: Colour;
}

// A box never shows smaller than two pixels; its border fades in as it grows.
const BOX_VERTEX = `#version 300 es
in vec2 corner; in vec2 middle; in vec3 fill; in vec3 border;
uniform vec4 view; uniform float high; uniform vec2 half_size;
out vec3 inside; out vec3 outside; out vec2 offset; out vec2 extent;
void main() {
  extent = max(half_size * view.z, vec2(1.2));
  offset = corner * extent;
  vec2 pixel = view.xy + middle * view.z + offset;
  gl_Position = vec4(pixel.x / view.w * 2.0 - 1.0, 1.0 - pixel.y * 2.0 / high, 0.0, 1.0);
  inside = fill; outside = border;
}`;
const BOX_FRAGMENT = `#version 300 es
precision mediump float;
in vec3 inside; in vec3 outside; in vec2 offset; in vec2 extent;
uniform float opacity;
out vec4 colour;
void main() {
  vec2 edge = extent - abs(offset);
  bool border = min(edge.x, edge.y) < 1.4 || extent.y < 5.0;
  colour = vec4(border ? outside : inside, 1.0) * opacity;
}`;
const LINE_VERTEX = `#version 300 es
in vec2 point;
uniform vec4 view; uniform float high;
void main() {
  vec2 pixel = view.xy + point * view.z;
  gl_Position = vec4(pixel.x / view.w * 2.0 - 1.0, 1.0 - pixel.y * 2.0 / high, 0.0, 1.0);
}`;
const LINE_FRAGMENT = `#version 300 es
precision mediump float;
uniform vec3 tint; uniform float opacity;
out vec4 colour;
void main() { colour = vec4(tint, 1.0) * opacity; }`;

export class Renderer {
  private readonly gl: WebGL2RenderingContext;
  private readonly boxes: WebGLProgram;
  private readonly lines: WebGLProgram;
  private readonly boxArray: WebGLVertexArrayObject;
  private readonly lineArray: WebGLVertexArrayObject;
  private readonly colours: WebGLBuffer;
  private edge: Colour = [0.5, 0.5, 0.5];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly scene: BigScene,
    private readonly half: { width: number; height: number },
  ) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false });
    if (!gl) throw new Error("This browser has no WebGL 2, which a picture of so many nodes needs. Fold it, or follow fewer hops.");
    this.gl = gl;
    this.boxes = program(gl, BOX_VERTEX, BOX_FRAGMENT);
    this.lines = program(gl, LINE_VERTEX, LINE_FRAGMENT);
    this.boxArray = gl.createVertexArray();
    this.lineArray = gl.createVertexArray();
    this.colours = gl.createBuffer();
    this.fillBoxes();
    this.fillLines();
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  stop(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  colour({ fills, lines, failed, edge }: Palette): void {
    const { gl, scene } = this;
    const { kind, status } = scene;
    const failedCode = scene.statuses.indexOf("failed");
    const bytes = new Uint8Array(kind.length * 6);
    for (let node = 0; node < kind.length; node++) {
      const look = (kind[node] ?? 0) as 0 | 1 | 2;
      bytes.set(fills[look], node * 6);
      bytes.set(status[node] === failedCode ? failed : lines[look], node * 6 + 3);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.colours);
    gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
    this.edge = edge.map((part) => part / 255) as Colour;
  }

  draw(view: View, isDimmed: boolean): void {
    const { gl, canvas, scene, half } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round) as [number, number];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const scale = view.scale * ratio;
    const place = [view.x * ratio, view.y * ratio, scale, width] as const;
    // The more lines lie on each other, the fainter is each.
    const faint = Math.min(0.7, Math.max(0.1, scale * 1.4)) * (isDimmed ? 0.35 : 1);
    gl.useProgram(this.lines);
    gl.uniform4f(gl.getUniformLocation(this.lines, "view"), ...place);
    gl.uniform1f(gl.getUniformLocation(this.lines, "high"), height);
    gl.uniform3f(gl.getUniformLocation(this.lines, "tint"), ...this.edge);
    gl.uniform1f(gl.getUniformLocation(this.lines, "opacity"), faint);
    gl.bindVertexArray(this.lineArray);
    gl.drawArrays(gl.LINES, 0, scene.source.length * 2);
    gl.useProgram(this.boxes);
    gl.uniform4f(gl.getUniformLocation(this.boxes, "view"), ...place);
    gl.uniform1f(gl.getUniformLocation(this.boxes, "high"), height);
    gl.uniform2f(gl.getUniformLocation(this.boxes, "half_size"), half.width, half.height);
    gl.uniform1f(gl.getUniformLocation(this.boxes, "opacity"), isDimmed ? 0.35 : 1);
    gl.bindVertexArray(this.boxArray);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, scene.x.length);
    gl.bindVertexArray(null);
  }

  private fillBoxes(): void {
    const { gl, scene } = this;
    const middles = new Float32Array(scene.x.length * 2);
    for (let node = 0; node < scene.x.length; node++) {
      middles[node * 2] = scene.x[node] ?? 0;
      middles[node * 2 + 1] = scene.y[node] ?? 0;
    }
    gl.bindVertexArray(this.boxArray);
    this.attribute("corner", new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), 0);
    this.attribute("middle", middles, 1);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.colours);
    ["fill", "border"].forEach((name, at) => {
      const place = gl.getAttribLocation(this.boxes, name);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, 3, gl.UNSIGNED_BYTE, true, 6, at * 3);
      gl.vertexAttribDivisor(place, 1);
    });
    gl.bindVertexArray(null);
  }

  private attribute(name: string, values: Float32Array<ArrayBuffer>, divisor: number): void {
    const { gl } = this;
    const place = gl.getAttribLocation(this.boxes, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 2, gl.FLOAT, false, 0, 0);
    gl.vertexAttribDivisor(place, divisor);
  }

  private fillLines(): void {
    const { gl, scene, half } = this;
    const { source, target, x, y } = scene;
    const points = new Float32Array(source.length * 4);
    for (let edge = 0; edge < source.length; edge++) {
      const [from, to] = [source[edge] ?? 0, target[edge] ?? 0];
      const side = (x[from] ?? 0) <= (x[to] ?? 0) ? 1 : -1;
      points[edge * 4] = (x[from] ?? 0) + side * half.width;
      points[edge * 4 + 1] = y[from] ?? 0;
      points[edge * 4 + 2] = (x[to] ?? 0) - side * half.width;
      points[edge * 4 + 3] = y[to] ?? 0;
    }
    gl.bindVertexArray(this.lineArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, points, gl.STATIC_DRAW);
    const place = gl.getAttribLocation(this.lines, "point");
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 2, gl.FLOAT, false, 0, 0);
    gl.bindVertexArray(null);
  }
}

function program(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const made = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(type);
    if (!shader) throw new Error("WebGL was lost.");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made) ?? "WebGL was lost.");
  return made;
}
