import type uPlot from 'uplot';
import type { Page } from './page.ts';
import { faultSpan } from './time-view.ts';

/** A fault that never ended fades out over this width, css px. */
const FADE_PX = 70;

/** Draws what all panels share behind their curves: phases, outages and the faults in their colours. */
export function drawBands(page: Page, plot: uPlot): void {
  const { ctx, bbox } = plot;
  const { report, palette } = page;
  const x = (ms: number): number => plot.valToPos(ms, 'x', true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const chaos = report.phases.find((phase) => phase.name === 'chaos');
  if (chaos !== undefined) {
    ctx.fillStyle = palette.color('--chaos');
    ctx.fillRect(x(chaos.fromMs), bbox.top, x(chaos.toMs) - x(chaos.fromMs), bbox.height);
  }
  drawFaults(page, plot, x);
  ctx.fillStyle = palette.color('--fail');
  ctx.globalAlpha = 0.38;
  for (const outage of report.outages) {
    const left = x(outage.fromMs);
    ctx.fillRect(left, bbox.top, Math.max(2 * devicePixelRatio, x(outage.toMs) - left), bbox.height);
  }
  ctx.restore();
}

function drawFaults({ report, palette }: Page, { ctx, bbox }: uPlot, x: (ms: number) => number): void {
  const ratio = devicePixelRatio;
  // Hundreds of lines would hide the curves; a few must be seen at once.
  const lineAlpha = Math.min(0.75, 12 / Math.max(1, report.faults.length));
  for (const fault of report.faults) {
    const span = faultSpan(fault);
    if (span === null) continue;
    const color = palette.kindColor(fault.kind);
    const [left, right] = [x(span.fromMs), x(span.toMs)];
    if (span.open) {
      const fade = ctx.createLinearGradient(left, 0, left + FADE_PX * ratio, 0);
      fade.addColorStop(0, color);
      fade.addColorStop(1, `${color}00`);
      ctx.fillStyle = fade;
      ctx.globalAlpha = Math.min(0.35, lineAlpha);
      ctx.fillRect(left, bbox.top, FADE_PX * ratio, bbox.height);
    }
    ctx.fillStyle = color;
    ctx.globalAlpha = 0.16;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.globalAlpha = Math.max(0.12, lineAlpha);
    ctx.fillRect(left, bbox.top, ratio, bbox.height);
  }
}
