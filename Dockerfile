# One image for every role: docker run … holdline [all|http|supervisor|doctor|key|backup|restore|…].
# docs/deployment.md says how to run it.

ARG NODE_IMAGE=node:20-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .puppeteerrc.cjs ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
# npm keeps the compiler, because a package names it as an optional peer.
RUN npx tsc -p tsconfig.json \
 && rm dist/.tsbuildinfo \
 && npm prune --omit=dev --no-audit --no-fund \
 && rm -rf node_modules/typescript node_modules/@typescript

FROM ${NODE_IMAGE}
# chromium, or shell: its headless shell (docs/memory.md). Empty: chromium, and WHATSAPP_BROWSER counts as not set.
ARG BROWSER=
# Leaves out 250 MB that a browser without a window and a GPU never opens. The role all starts a Redis of its own, hence
# redis-server.
RUN case "$BROWSER" in \
      '' | chromium) browser=chromium ;; \
      shell) browser=chromium-headless-shell ;; \
      *) echo "BROWSER is '$BROWSER'; it must be chromium or shell" >&2; exit 1 ;; \
    esac \
 && printf 'path-exclude=%s\n' '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/lib/*/libLLVM*' \
      '/usr/lib/*/libz3*' '/usr/lib/*/dri/*' '/usr/lib/chromium/locales/*' \
      >/etc/dpkg/dpkg.cfg.d/holdline \
 && echo 'path-include=/usr/lib/chromium/locales/en-US*' >>/etc/dpkg/dpkg.cfg.d/holdline \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$browser" fonts-liberation redis-server tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
 && useradd --system --uid 10001 --user-group --create-home holdline \
 && install -d -m 700 -o holdline -g holdline /data
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY deploy/holdline /usr/local/bin/holdline

# Chromium keeps its sandbox. It needs no root, but it needs permission to create user namespaces:
# deploy/chromium-seccomp.json gives it.
USER holdline
ENV NODE_ENV=production \
    WHATSAPP_BROWSER=$BROWSER \
    WHATSAPP_MCP_HOST=0.0.0.0 \
    WHATSAPP_DATA_DIR=/data/holdline \
    WHATSAPP_AUTH_DIR=/data/auth
VOLUME /data
EXPOSE 8790
# After SIGTERM, sessions are handed over within 25 s (shutdownMs). Use a longer grace period than that.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 CMD ["holdline", "health"]
# tini forwards signals, and reaps the processes that a killed browser leaves.
ENTRYPOINT ["tini", "--", "holdline"]
CMD ["all"]
