// A canvas that is as large as its place, sharp on every screen, and painted at most once a display frame, when something changed.
import { useEffect, useRef } from "preact/hooks";

export interface CanvasSize {
  width: number;
  height: number;
}

interface Props {
  label: string;
  /** Paints with CSS pixels as units. Called again whenever a signal that it reads has changed. */
  paint: (context: CanvasRenderingContext2D, size: CanvasSize) => void;
  /** Changes when there is something new to paint. */
  version: unknown;
  className?: string;
  /** Fixed height in CSS pixels; default: that of the place. */
  height?: number;
  onPoint?: (x: number, y: number, event: PointerEvent) => void;
  onHover?: (x: number, y: number, event: PointerEvent) => void;
  onLeave?: () => void;
  onKey?: (event: KeyboardEvent) => void;
  onResize?: (size: CanvasSize) => void;
}

export function Canvas({
  label,
  paint,
  version,
  className,
  height,
  onPoint,
  onHover,
  onLeave,
  onKey,
  onResize,
}: Props) {
  const element = useRef<HTMLCanvasElement>(null);
  const latest = useRef(paint);
  latest.current = paint;
  const scheduled = useRef(0);

  const repaint = () => {
    if (scheduled.current !== 0) return;
    scheduled.current = requestAnimationFrame(() => {
      scheduled.current = 0;
      const canvas = element.current;
      const context = canvas?.getContext("2d");
      if (!canvas || !context) return;
      const ratio = devicePixelRatio;
      const size = { width: canvas.clientWidth, height: canvas.clientHeight };
      const [wide, high] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
      if (canvas.width !== wide || canvas.height !== high) {
        canvas.width = wide;
        canvas.height = high;
      }
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, size.width, size.height);
      latest.current(context, size);
    });
  };

  useEffect(repaint, [version]);
  useEffect(() => {
    const canvas = element.current!;
    const observer = new ResizeObserver(() => {
      onResize?.({ width: canvas.clientWidth, height: canvas.clientHeight });
      repaint();
    });
    observer.observe(canvas);
    return () => observer.disconnect();
  }, []);

  const at = (call: ((x: number, y: number, event: PointerEvent) => void) | undefined) => (event: PointerEvent) =>
    call?.(event.offsetX, event.offsetY, event);
  return (
    <canvas
      ref={element}
      class={className}
      style={height === undefined ? undefined : { height: `${height}px` }}
      {...(onKey === undefined
        ? { role: "img" }
        : { role: "application", tabIndex: 0, "aria-describedby": "selection" })}
      aria-label={label}
      onPointerDown={at(onPoint)}
      onPointerMove={at(onHover)}
      onPointerLeave={onLeave}
      onKeyDown={onKey}
    />
  );
}

export interface Inks {
  text: string;
  dim: string;
  line: string;
  panel: string;
}

/** The colours of text and lines in the present theme. */
export function inks(): Inks {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return { text: read("--text"), dim: read("--dim"), line: read("--line"), panel: read("--panel") };
}

/** Marks a square cell as selected: a ring with a rim on both sides, which stands out from cells of every colour. */
export function markCell(context: CanvasRenderingContext2D, x: number, y: number, side: number, ink: Inks): void {
  for (const [colour, width] of [
    [ink.panel, 5],
    [ink.text, 2.5],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(x - 2.5, y - 2.5, side + 5, side + 5);
  }
}
