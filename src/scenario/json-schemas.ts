import { z } from 'zod';
import { reportSchema } from '../model/report.ts';
import { scenarioSchema } from './scenario-schema.ts';

/** The JSON Schemas (draft 2020-12) that ship in `schema/`, by file name without extension. */
export function jsonSchemas(): Record<string, unknown> {
  return { 'report.v1': z.toJSONSchema(reportSchema), 'scenario.v1': scenarioJsonSchema() };
}

/** The form that users write as plain JSON; names of metrics and fault kinds are checked only by `chaos` itself. */
function scenarioJsonSchema(): unknown {
  const schema = scenarioSchema({ name: '', cwd: '/', allowRemote: false, metrics: [], kinds: null });
  return z.toJSONSchema(schema, {
    io: 'input',
    // A RegExp is not JSON: the empty schema that stands for it is taken out again below.
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (jsonSchema.anyOf)
        jsonSchema.anyOf = jsonSchema.anyOf.filter((member) => Object.keys(member).length > 0);
      // A default that only says "the file's name" is no default of the schema.
      if (jsonSchema.default === '') delete jsonSchema.default;
    },
  });
}
