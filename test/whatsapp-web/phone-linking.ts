import { type Device, refuseScan, type ScanResult } from './linking.js';
import { cancelPasskey, demandPasskey, finishPasskey } from './passkey.js';
import { note, type World } from './world.js';

/** Links and unlinks devices on the phone. */
export interface PhoneLinking {
  /** Scans this text as a phone does. A refusal has its reason. */
  scan(qrText: string): Promise<ScanResult>;
  /** Scans the newest valid QR code of an open page. */
  scanCurrent(): Promise<ScanResult>;
  /** Types a pairing code. Spaces, dashes and small letters are allowed. */
  enterCode(code: string): Promise<ScanResult>;
  /** While true, a code that the phone accepts does not link. The page is asked for a passkey instead. */
  askForPasskey(isAsked: boolean): Promise<void>;
  /** The person scans once more while a passkey is asked for: the page is asked anew. */
  scanAgain(): Promise<void>;
  /** The owner uses the passkey: links the page that was asked, as a scan does. */
  finishPasskey(): Promise<ScanResult>;
  /** Makes the pages that were asked go back to QR codes. */
  cancelPasskey(): Promise<void>;
  /** Logs a device out, or all of them; resolves to their ids. Open pages learn it at once, others when they return. */
  unlink(deviceId?: string): Promise<string[]>;
  /** Another browser takes over: logged-in pages enter CONFLICT. */
  conflict(): Promise<void>;
  /** Puts logged-in pages into any state, as WhatsApp does with TOS_BLOCK or DEPRECATED_VERSION. */
  showState(state: string): Promise<void>;
  /** The text of the QR code that the phone accepts now. */
  currentQr(): Promise<string | null>;
  /** The pairing code that the phone accepts now. */
  currentCode(): Promise<string | null>;
}

export function phoneLinking(world: World): PhoneLinking {
  const { codes, linking, passkey } = world;
  const ownDigits = world.account.wid.split('@')[0] ?? '';

  const nameOf = (pageId: string) =>
    [...world.connections].find((page) => page.pageId === pageId)?.deviceName ?? '';

  function noted(result: ScanResult): ScanResult {
    if (!result.linked) note(world, `The phone was refused: ${result.message}`);
    return result;
  }

  function link(device: Device, pageId: string): ScanResult {
    note(world, `${device.id} was linked on the phone.`);
    for (const page of world.connections) if (page.pageId === pageId) page.pair(device);
    return { linked: true, deviceId: device.id };
  }

  function scan(qrText: string): ScanResult {
    if (passkey.isAsked) {
      const ref = linking.accept(qrText);
      if ('linked' in ref) return noted(ref);
      ref.usedAt = Date.now();
      return demandPasskey(world, ref.pageId);
    }
    const result = linking.scan(qrText, nameOf);
    return result.linked && 'device' in result ? link(result.device, result.ref.pageId) : noted(result);
  }

  function enterCode(typed: string): ScanResult {
    if (passkey.isAsked) {
      const code = codes.accept(typed, ownDigits);
      if ('linked' in code) return noted(code);
      code.usedAt = Date.now();
      return demandPasskey(world, code.pageId);
    }
    const result = codes.enter(typed, ownDigits, linking, nameOf);
    return result.linked && 'device' in result ? link(result.device, result.pageId) : noted(result);
  }

  function unlink(deviceId: string): string {
    if (!linking.unlink(deviceId)) throw new Error(`no device "${deviceId}" is linked`);
    note(world, `${deviceId} was unlinked on the phone.`);
    for (const page of world.connections) if (page.device?.id === deviceId) page.logOut();
    return deviceId;
  }

  function showState(state: string): void {
    note(world, `Logged-in pages were put into the state ${state}.`);
    for (const page of world.connections) if (page.device) page.showState(state);
  }

  return {
    scan: async (qrText) => scan(qrText),
    scanCurrent: async () => {
      const current = linking.currentRef();
      return current ? scan(current.qr) : refuseScan('no-qr');
    },
    enterCode: async (code) => enterCode(code),
    askForPasskey: async (isAsked) => {
      passkey.isAsked = isAsked;
    },
    scanAgain: async () => {
      for (const pageId of [...passkey.waiting.keys()]) demandPasskey(world, pageId);
    },
    finishPasskey: async () => noted(finishPasskey(world)),
    cancelPasskey: async () => cancelPasskey(world),
    unlink: async (deviceId) => (deviceId ? [deviceId] : [...linking.devices.keys()]).map(unlink),
    conflict: async () => showState('CONFLICT'),
    showState: async (state) => showState(state),
    currentQr: async () => linking.currentRef()?.qr ?? null,
    currentCode: async () => codes.current()?.code ?? null,
  };
}
