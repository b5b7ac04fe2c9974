import { type Capability, type CapabilityName, capabilityNames } from '../contract/page.js';
import { pageNeeds } from '../contract/page-needs.js';
import { type ExportList, hasOnlyDefault } from './export-list.js';

/** `unknown`: the source does not say. */
export type Presence = 'there' | 'missing' | 'unknown';

export interface CapabilityReport {
  readonly capability: CapabilityName;
  readonly level: Capability;
  /** Names without which it is broken. */
  readonly missing: readonly string[];
  /** Names without which it is degraded. */
  readonly missing_helps: readonly string[];
  readonly unknown: readonly string[];
}

/** Whether a page has `Module`, `Module.member` or `Module.member.inner`. */
export type Lookup = (name: string) => Presence;

/** Looks up names in a list. The list has modules and their exports, but nothing inside an export. */
export function lookupInList({ modules }: ExportList): Lookup {
  return (name) => {
    const [module = '', member] = splitName(name, modules);
    const names = modules[module];
    if (names === undefined) return 'unknown';
    if (names === null) return 'missing';
    if (member === undefined || names.includes(member)) return 'there';
    return hasOnlyDefault(names) ? 'unknown' : 'missing';
  };
}

/** Splits at dots, but not within the name of a module: some have a dot. */
function splitName(name: string, modules: ExportList['modules']): string[] {
  const parts = name.split('.');
  const twoParts = parts.slice(0, 2).join('.');
  return Object.hasOwn(modules, twoParts) ? [twoParts, ...parts.slice(2)] : parts;
}

/** A need can have several names, because the page has had it under each of them; one is enough. */
function presenceOf(need: string, lookup: Lookup): Presence {
  const found = need.split('|').map(lookup);
  if (found.includes('there')) return 'there';
  return found.includes('unknown') ? 'unknown' : 'missing';
}

export function assessCapabilities(lookup: Lookup): CapabilityReport[] {
  return capabilityNames.map((capability) => {
    const all = pageNeeds[capability];
    const namesThatAre = (names: readonly string[], presence: Presence) =>
      names.filter((name) => presenceOf(name, lookup) === presence).map(readableNeed);
    const missing = namesThatAre(all.needs, 'missing');
    const missingHelps = namesThatAre(all.helps, 'missing');
    const level = missing.length > 0 ? 'broken' : missingHelps.length > 0 ? 'degraded' : 'ok';
    const unknown = namesThatAre([...all.needs, ...all.helps], 'unknown');
    return { capability, level, missing, missing_helps: missingHelps, unknown };
  });
}

/** Every name that any capability needs, all alternatives included. */
export function allNeededNames(): string[] {
  const needs = Object.values(pageNeeds).flatMap((each) => [...each.needs, ...each.helps]);
  return [...new Set(needs.flatMap((need) => need.split('|')))];
}

function readableNeed(need: string): string {
  return need.replaceAll('|', ' or ');
}
