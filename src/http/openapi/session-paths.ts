import { sessionNamePattern } from '../../contract/names.js';
import type { Route } from '../core/exchange.js';
import type { JsonObject } from '../core/route-doc.js';
import { sessionPath } from '../session-routes.js';
import type { Paths } from './operation-paths.js';

/** The heading of the paths of {@link withSessionPaths}. */
export const sessionPathsTag = {
  name: 'Of a named session',
  description: 'The same operations for any session: what they do stands above.',
};

const parameter = {
  name: 'session',
  in: 'path',
  required: true,
  description: 'the name of the session',
  schema: { type: 'string', pattern: sessionNamePattern.source },
};

/** Adds each path of a named session that exists. It is described as that of `default`. */
export function withSessionPaths(paths: Paths, routes: readonly Route[]): Paths {
  const served = new Set(routes.map(({ path }) => path));
  const added = Object.entries(paths)
    .map(([path, item]) => [sessionPath(path), item] as const)
    .filter(([path]) => served.has(path) && paths[path] === undefined)
    .map(([path, item]) => {
      const methods = Object.entries(item).map(([method, operation]) => [method, ofSession(operation)]);
      return [path, Object.fromEntries(methods)] as const;
    });
  return { ...paths, ...Object.fromEntries(added) };
}

function ofSession(operation: JsonObject): JsonObject {
  const parameters = (operation.parameters ?? []) as readonly JsonObject[];
  return {
    ...operation,
    operationId: `${operation.operationId}OfSession`,
    tags: [sessionPathsTag.name],
    parameters: [parameter, ...parameters],
  };
}
