// Modules for media. They exist by name only: every call throws.

const none = async () => {
  throw new Error('the stand-in has no media');
};

export const mediaModules = () => ({
  WAWebPrepRawMedia: { prepRawMedia: none },
  WAWebMediaOpaqueData: { createFromData: none },
  WAWebMediaStorage: { getOrCreateMediaObject: none },
  WAWebMmsMediaTypes: { msgToMediaType: none, castToV4: none },
  WAWebMediaMmsV4Upload: { uploadMedia: none },
  WAWebDownloadManager: { downloadManager: { downloadAndMaybeDecrypt: none } },
});
