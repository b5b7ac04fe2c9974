import assert from 'node:assert/strict';
import type { OutputOf } from '../../src/contract/operations.js';
import type { PasskeyStep } from '../../src/contract/passkey.js';
import { apiCaller } from './api-caller.js';
import { eventually } from './eventually.js';
import { OwnerBrowser } from './owner-browser.js';
import type { Product } from './product.js';
import { busyMachineTiming, Stage } from './stage.js';

type Request = OutputOf<'passkey'>;

/** An account that needs a passkey, the product, and the browser of the owner. */
export class PasskeyLinking {
  readonly stage: Stage;
  readonly owner: OwnerBrowser;
  readonly product: Product;
  readonly call;

  constructor(stage: Stage, owner: OwnerBrowser, product: Product) {
    this.stage = stage;
    this.owner = owner;
    this.product = product;
    this.call = apiCaller(() => product);
  }

  static async open(
    environment: Record<string, string> = {},
    timing: Record<string, number> = {},
    settings: Parameters<typeof Stage.open>[0] = {},
  ): Promise<PasskeyLinking> {
    const stage = await Stage.open(settings);
    const owner = await OwnerBrowser.open(stage.whatsApp.chromeArgs);
    await owner.register();
    const product = stage.start('all', {
      WHATSAPP_TIMING: JSON.stringify({ ...busyMachineTiming, ...timing }),
      ...environment,
    });
    const linking = new PasskeyLinking(stage, owner, product);
    await stage.whatsApp.phone.askForPasskey(true);
    await product.post('/api/auth/start');
    return linking;
  }

  /** The phone scans the code, or whichever comes next. */
  async scan(): Promise<void> {
    const isScanned = async () => {
      const result = await this.stage.whatsApp.phone.scanCurrent();
      return !result.linked && result.reason === 'passkey-asked';
    };
    await eventually(isScanned, { timeoutMs: 30_000, message: 'the code is scanned' });
  }

  async at(step: PasskeyStep, timeoutMs = 20_000): Promise<Request> {
    await this.product.until((s) => s.passkey?.step === step, `the step ${step}`, timeoutMs);
    return (await this.call<Request>('/api/auth/passkey')).body;
  }

  async asked(): Promise<Request & { options: NonNullable<Request['options']> }> {
    await this.scan();
    const request = await this.at('answer');
    assert.ok(request.options, 'the options');
    return { ...request, options: request.options };
  }

  async close(): Promise<void> {
    await this.owner.close();
    await this.stage.close();
  }

  get phone() {
    return this.stage.whatsApp.phone;
  }
}
