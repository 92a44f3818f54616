import { ChaosError } from '../../base/errors.ts';
import type { ServiceSettings } from '../settings.ts';

/** What a reload does to the services that run. */
export interface ReloadPlan<S> {
  /** Each with what it is to be from now on. */
  readonly kept: readonly { readonly service: S; readonly next: ServiceSettings }[];
  readonly added: readonly ServiceSettings[];
  readonly removed: readonly S[];
}

/**
 * Which of the running services a new config means: the one of that name, else the one on that port, and where there is one
 * before and one after, that: so a service that is renamed, or runs another file, is replaced worker by worker too.
 *
 * @throws ChaosError 'usage' for what cannot change while the supervisor runs
 */
export function planReload<S extends { readonly settings: ServiceSettings }>(
  running: readonly S[],
  wanted: readonly ServiceSettings[],
  { canDelegate }: { readonly canDelegate: boolean },
): ReloadPlan<S> {
  const left = new Set(running);
  const kept = new Map<ServiceSettings, S>();
  const match = (isSame: (settings: ServiceSettings, next: ServiceSettings) => boolean): void => {
    for (const next of wanted) {
      if (kept.has(next)) continue;
      const service = [...left].find(({ settings }) => isSame(settings, next));
      if (service === undefined) continue;
      kept.set(next, service);
      left.delete(service);
    }
  };
  match(({ name }, next) => name === next.name);
  match(({ port }, next) => port !== null && port > 0 && port === next.port);
  if (running.length === 1 && wanted.length === 1) match(() => true);
  for (const next of wanted) checkBalance(kept.get(next)?.settings ?? null, next, canDelegate);
  return {
    kept: [...kept].map(([next, service]) => ({ service, next })),
    added: wanted.filter((next) => !kept.has(next)),
    removed: [...left],
  };
}

/** With `none` the workers accept by themselves: node:cluster decides on that for good at its first fork, and the port has one owner. */
function checkBalance(before: ServiceSettings | null, next: ServiceSettings, canDelegate: boolean): void {
  const isDelegated = ({ policy }: ServiceSettings): boolean => policy.balance === 'none';
  const isSame = before === null || isDelegated(before) === isDelegated(next);
  if (isSame && (canDelegate || !isDelegated(next))) return;
  const was = before === null ? 'of a new service' : `'${before.policy.balance}'`;
  throw new ChaosError(
    'usage',
    `service '${next.name}': balance, ${was}, cannot become '${next.policy.balance}' while the supervisor runs`,
    { hint: "Stop it and start it again: a change from or to 'none' needs new sockets." },
  );
}
