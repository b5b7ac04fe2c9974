// The public part of WhatsApp Web's models: events, attributes with change events, collections.

export class Emitter {
  #listeners = new Map();

  /** `names` may be several events, separated by spaces. */
  on(names, listener) {
    for (const name of names.split(' ')) {
      this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    }
    return this;
  }

  once(names, listener) {
    const first = (...args) => {
      this.off(names, first);
      listener(...args);
    };
    return this.on(names, first);
  }

  off(names, listener) {
    for (const name of names.split(' ')) {
      const others = (this.#listeners.get(name) ?? []).filter((known) => listener && known !== listener);
      this.#listeners.set(name, others);
    }
    return this;
  }

  /** For tests: whether there is a listener. */
  hasListener(name) {
    return (this.#listeners.get(name) ?? []).length > 0;
  }

  /** A listener that throws does not stop the others. */
  trigger(name, ...args) {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(...args);
      } catch (error) {
        reportError(error);
      }
    }
  }
}

/** Attributes are plain properties. Each change triggers an event on the model and on its collection. */
export class Model extends Emitter {
  #attributes = {};
  collection = undefined;

  constructor(attributes = {}) {
    super();
    Object.defineProperty(this, 'collection', { enumerable: false });
    this.#define(attributes);
  }

  set(changes) {
    const before = { ...this.#attributes };
    this.#define(changes);
    const changed = Object.keys(changes).filter((name) => before[name] !== changes[name]);
    for (const name of changed) this.#announce(`change:${name}`, this, changes[name], before[name]);
    if (changed.length > 0) this.#announce('change', this);
  }

  unset(name) {
    if (!Object.hasOwn(this.#attributes, name)) return;
    this.set({ [name]: undefined });
    delete this.#attributes[name];
    delete this[name];
  }

  /** Changes attributes without an event, as if before there was a listener. */
  setSilently(changes) {
    this.#define(changes);
  }

  serialize() {
    const plain = ([name, value]) => [
      name,
      typeof value?.serialize === 'function' ? value.serialize() : value,
    ];
    return Object.fromEntries(Object.entries(this.#attributes).map(plain));
  }

  toJSON() {
    return this.serialize();
  }

  #define(values) {
    for (const name of Object.keys(values)) {
      if (!Object.hasOwn(this.#attributes, name)) {
        Object.defineProperty(this, name, {
          enumerable: true,
          configurable: true,
          get: () => this.#attributes[name],
          set: (value) => this.set({ [name]: value }),
        });
      }
      this.#attributes[name] = values[name];
    }
  }

  #announce(name, ...args) {
    this.trigger(name, ...args);
    this.collection?.trigger(name, ...args);
  }
}

/** Models by their serialized id. */
export class Collection extends Emitter {
  #models = new Map();

  get(id) {
    return this.#models.get(serialized(id));
  }

  async find(id) {
    return this.get(id);
  }

  getModelsArray() {
    return [...this.#models.values()];
  }

  add(model) {
    model.collection = this;
    this.#models.set(serialized(model.id) ?? Symbol('no id'), model);
    this.trigger('add', model);
    return model;
  }

  /** Adds models before all others, in the order given. */
  prepend(models) {
    const later = [...this.#models];
    this.#models.clear();
    for (const model of models) this.#models.set(serialized(model.id), model);
    for (const [id, model] of later) this.#models.set(id, model);
  }

  remove(id) {
    const model = this.get(id);
    if (!model) return;
    this.#models.delete(serialized(id));
    this.trigger('remove', model);
    model.collection = undefined;
  }

  serialize() {
    return this.getModelsArray().map((model) => model.serialize());
  }
}

/** The string of an id, whatever field holds it. */
function serialized(id) {
  if (typeof id === 'string') return id;
  const hasString = id && typeof id === 'object' && id.toString !== Object.prototype.toString;
  return hasString ? id.toString() : undefined;
}
