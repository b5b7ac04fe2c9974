// Loaded into the product with `node --require`: leaves a rejection unhandled when it is told to, in the process that the
// signal reaches. The product itself knows nothing of it.
process.on('SIGUSR2', () => {
  void Promise.reject(new Error('left unhandled on purpose'));
});
