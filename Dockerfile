# syntax=docker/dockerfile:1

FROM node:24-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# The image has its Node, and classic-level ships its binary: no install script is needed.
RUN npm ci --ignore-scripts --no-audit
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit

FROM node:24-slim
ENV NODE_ENV=production
RUN groupadd --system millrace \
  && useradd --system --gid millrace --home-dir /var/lib/millrace --shell /usr/sbin/nologin millrace \
  && install -d -o millrace -g millrace -m 0750 /var/lib/millrace
WORKDIR /opt/millrace
COPY --from=build /src/package.json /src/LICENSE /src/NOTICE ./
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/bin ./bin
COPY --from=build /src/dist ./dist
COPY --from=build /src/samples ./samples

USER millrace
VOLUME /var/lib/millrace
EXPOSE 8080
# Binding all addresses needs MILLRACE_READ_TOKEN_FILE and MILLRACE_ADMIN_TOKEN_FILE, which whoever runs the image sets;
# without them the process refuses to start.
ENV MILLRACE_HOST=0.0.0.0 \
    MILLRACE_PORT=8080 \
    MILLRACE_DATA_DIR=/var/lib/millrace
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.MILLRACE_PORT + '/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "bin/millrace.js"]
CMD ["start"]
