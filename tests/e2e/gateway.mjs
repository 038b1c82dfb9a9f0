// A real gateway over the supergraph: Apollo's.

// Before its first import: a test tells nobody that it runs.
process.env.APOLLO_TELEMETRY_DISABLED = "true";
const { ApolloGateway, RemoteGraphQLDataSource } = await import("@apollo/gateway");
const { ApolloServer } = await import("@apollo/server");
const { startStandaloneServer } = await import("@apollo/server/standalone");

/** Serves a supergraph; `requests` collects what the gateway asks of the subgraphs. */
export async function startGateway(supergraphSdl) {
  const requests = [];
  const gateway = new ApolloGateway({
    supergraphSdl,
    buildService: ({ name, url }) =>
      new RemoteGraphQLDataSource({
        url,
        willSendRequest: ({ request }) => {
          const representations = request.variables?.representations ?? [];
          requests.push({ subgraph: name, representations: representations.map((one) => ({ ...one })) });
        },
      }),
  });
  const server = new ApolloServer({ gateway });
  const { url } = await startStandaloneServer(server, { listen: { host: "127.0.0.1", port: 0 } });
  return { address: url, requests, stop: () => server.stop() };
}
