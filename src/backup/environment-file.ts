/** The content of an environment file, in the forms that scripts/env-file.sh, Docker Compose and systemd read alike. */
export function environmentFileOf(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${lineOf(name, value)}\n`)
    .join('');
}

function lineOf(name: string, value: string): string {
  if (!/[^\w.,:/@+=-]/.test(value)) return `${name}=${value}`;
  const problem = problemOf(value);
  if (problem !== null)
    return `# ${name} is left out: its value has ${problem}, which no line of this file can hold`;
  const quote = value.includes("'") ? '"' : "'";
  return `${name}=${quote}${value}${quote}`;
}

/** null: the value can be written in quotes of one kind. Nothing is replaced in single quotes. */
function problemOf(value: string): string | null {
  if (/[\r\n\0]/.test(value)) return 'a line break';
  return value.includes("'") && /["$`\\]/.test(value) ? 'a \' together with one of " $ ` \\' : null;
}
