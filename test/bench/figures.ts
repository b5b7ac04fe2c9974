import { markdownTable } from '../support/markdown.js';

/** One line of the benchmark's table. */
export interface Figure {
  readonly name: string;
  /** The measured value with its unit. */
  readonly ours: string;
  readonly against: string;
  /** Our value divided by the other one, from the same rounds. */
  readonly ratio: number | null;
  readonly aim: Aim | null;
}

/** `of`: the value to compare if it is not the ratio. */
export type Aim = ({ readonly atLeast: number } | { readonly atMost: number }) & {
  readonly of?: number;
  /** Written behind the number. */
  readonly unit?: string;
};

export function isReached({ ratio, aim }: Pick<Figure, 'ratio' | 'aim'>): boolean {
  if (aim === null) return true;
  const value = aim.of ?? ratio ?? Number.NaN;
  return 'atLeast' in aim ? value >= aim.atLeast : value <= aim.atMost;
}

export function aimInWords(figure: Pick<Figure, 'ratio' | 'aim'>): string {
  const { aim } = figure;
  if (aim === null) return '';
  const { unit = '' } = aim;
  const words = 'atLeast' in aim ? `at least ${aim.atLeast}${unit}` : `at most ${aim.atMost}${unit}`;
  return `${words}: ${isReached(figure) ? 'reached' : 'missed'}`;
}

export function figuresTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    figure.ours,
    figure.against,
    figure.ratio === null ? '' : figure.ratio.toFixed(figure.ratio < 0.1 ? 3 : 2),
    aimInWords(figure),
  ]);
  return markdownTable([['what', 'Holdline', 'against', 'ratio', 'aim'], ...rows]);
}
