// Loaded into the product with `node --require`. A process that gets SIGUSR2 leaves a rejection unhandled.
// The product has no code for it.
process.on('SIGUSR2', () => {
  void Promise.reject(new Error('left unhandled on purpose'));
});
