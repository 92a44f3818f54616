import { z } from 'zod';
import { reportSchema } from './report.ts';

/** The JSON Schemas (draft 2020-12) that ship in `schema/`, by file name without extension. */
export function jsonSchemas(): Record<string, unknown> {
  return { 'report.v1': z.toJSONSchema(reportSchema) };
}
