import { type Capability, type CapabilityName, capabilityNames } from '../contract/page.js';
import { type PageNeeds, pageNeeds } from '../contract/page-needs.js';
import { type ExportList, hasOnlyDefault } from './export-list.js';

/** `unknown`: what was looked at does not tell. */
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
export type Look = (name: string) => Presence;

/** By a list, which knows modules and what they export, and nothing further inside. */
export function lookInList({ modules }: ExportList): Look {
  return (name) => {
    const [module = '', member] = splitName(name, modules);
    const names = modules[module];
    if (names === undefined) return 'unknown';
    if (names === null) return 'missing';
    if (member === undefined || names.includes(member)) return 'there';
    return hasOnlyDefault(names) ? 'unknown' : 'missing';
  };
}

/** Some modules have a dot in their names. */
function splitName(name: string, modules: ExportList['modules']): string[] {
  const parts = name.split('.');
  const twoParts = parts.slice(0, 2).join('.');
  return Object.hasOwn(modules, twoParts) ? [twoParts, ...parts.slice(2)] : parts;
}

/** A need that the page has had under several names is there under any of them. */
function presenceOf(need: string, look: Look): Presence {
  const found = need.split('|').map(look);
  if (found.includes('there')) return 'there';
  return found.includes('unknown') ? 'unknown' : 'missing';
}

export function judgeCapabilities(
  look: Look,
  needs: Readonly<Record<CapabilityName, PageNeeds>> = pageNeeds,
): CapabilityReport[] {
  return capabilityNames.map((capability) => {
    const all = needs[capability];
    const which = (names: readonly string[], presence: Presence) =>
      names.filter((name) => presenceOf(name, look) === presence).map(inWords);
    const missing = which(all.needs, 'missing');
    const missingHelps = which(all.helps, 'missing');
    const level = missing.length > 0 ? 'broken' : missingHelps.length > 0 ? 'degraded' : 'ok';
    const unknown = which([...all.needs, ...all.helps], 'unknown');
    return { capability, level, missing, missing_helps: missingHelps, unknown };
  });
}

/** Every name, for a page that is asked for each. */
export function allNeeds(): string[] {
  const needs = Object.values(pageNeeds).flatMap((each) => [...each.needs, ...each.helps]);
  return [...new Set(needs.flatMap((need) => need.split('|')))];
}

function inWords(need: string): string {
  return need.replaceAll('|', ' or ');
}
