/** The public API: what a scenario file imports from `cluster-chaos`. */
export type { Expectation, FaultParams, Selector } from './model/fault.ts';
export { type DefinedScenario, defineScenario } from './scenario/define-scenario.ts';
export {
  type AskingSignal,
  type BlockOptions,
  blockEventLoop,
  type CrashLoopOptions,
  crashLoop,
  freeze,
  type HoldOptions,
  type KillOptions,
  kill,
  type MemorySpikeOptions,
  memorySpike,
  type PrimaryKillOptions,
  primaryKill,
  type ReloadOptions,
  reload,
  type ScaleOptions,
  scale,
} from './scenario/faults.ts';
export type {
  BodyExpectation,
  Duration,
  FaultInput,
  LoadInput,
  ObjectiveInput,
  PhasesInput,
  RequestInput,
  ScenarioInput,
  ScheduledFaultInput,
  ScheduleInput,
  Size,
  TargetInput,
  WindowInput,
} from './scenario/inputs.ts';
export { resilienceObjectives } from './scenario/resilience-objectives.ts';
export { at, burst, every, poisson } from './scenario/schedules.ts';
export { all, lastStarted, primary, random, slot } from './scenario/selectors.ts';
