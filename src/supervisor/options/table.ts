import { defaultAdminPath } from './admin-path.ts';
import { APP_ROWS } from './app-rows.ts';
import { orNone, yesNo } from './kinds.ts';
import { type Option, type OptionKey, row } from './option.ts';
import { adminKind } from './special-kinds.ts';
import { TRAFFIC_ROWS } from './traffic-rows.ts';

/** The one table of options: flags, config keys, variables, validation, defaults and help all come from it. */
export const OPTIONS = {
  ...APP_ROWS,
  ...TRAFFIC_ROWS,
  admin: row({
    section: 'Operation',
    kind: orNone(adminKind),
    help: 'where status and steering are served, this machine only',
    fallback: {
      of: ({ machine, cwd }) => ({ path: defaultAdminPath({ ...machine, cwd }) }),
      says: "a private socket of this folder's own",
      because: 'it is found from here',
    },
  }),
  metrics: row({
    section: 'Operation',
    kind: yesNo,
    help: 'serve Prometheus metrics at the admin address; needs prom-client',
    fallback: { input: false, because: 'costs a package' },
  }),
} satisfies Readonly<Record<OptionKey, Option<unknown>>>;

type Row<K extends OptionKey> = (typeof OPTIONS)[K];

/** What each option holds once it is read. */
export type Values = { readonly [K in OptionKey]: Row<K> extends Option<infer T> ? T : never };

/** Every key, in the order of the table. */
export const OPTION_KEYS = Object.keys(OPTIONS) as readonly OptionKey[];

/** The row of a key that is known only at run time. */
export function optionOf(key: OptionKey): Option<unknown> {
  return OPTIONS[key];
}
