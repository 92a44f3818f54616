import type { SupervisorStatus } from '../settings.ts';

/** What the admin address can do with the supervisor behind it. */
export interface Control {
  readonly status: () => SupervisorStatus;
  /** Rejects when the new generation does not boot, or the config that was read again is bad; the old one goes on. */
  readonly reload: () => Promise<void>;
  readonly scale: (service: string, workers: number) => void;
  /** Resolves when no worker is left. */
  readonly stop: () => Promise<void>;
}

/** Whether the whole supervisor was told to stop; a reload stops single services. */
export function isStopping({ services }: SupervisorStatus): boolean {
  return services.every(({ goal }) => goal !== 'run');
}
