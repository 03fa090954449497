//! Names to addresses. Every address of a name is checked, and the client connects
//! only to what was checked, so a name that changes its mind gains nothing.

use std::net::SocketAddr;

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::Name,
};
use reqwest::dns::{Addrs, Resolve, Resolving};

use super::address_policy::AddressPolicy;

/// Resolves for one client.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    resolver: TokioResolver,
    /// None for the targets of mapped origins, which the operator chose.
    policy: Option<AddressPolicy>,
}

/// The name has no address; asking again does not help.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has no address")]
pub(super) struct NoSuchName(String);

impl GuardedResolver {
    /// Asks `name_server`, or those of the system.
    pub(super) fn new(name_server: Option<SocketAddr>, policy: AddressPolicy) -> Result<Self, NetError> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = match name_server {
            Some(address) => {
                let mut server = NameServerConfig::udp_and_tcp(address.ip());
                for connection in &mut server.connections {
                    connection.port = address.port();
                }
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                let mut builder = TokioResolver::builder_with_config(config, provider);
                builder.options_mut().use_hosts_file = ResolveHosts::Never;
                builder
            }
            None => TokioResolver::builder(provider.clone()).unwrap_or_else(|error| {
                tracing::warn!(
                    error = %error,
                    "no name servers: only literal addresses and mapped origins can be reached"
                );
                TokioResolver::builder_with_config(ResolverConfig::from_name_servers(Vec::new()), provider)
            }),
        };
        // A public A record must not hide a private AAAA record.
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        Ok(Self { resolver: builder.build()?, policy: Some(policy) })
    }

    /// The same resolver without the check, for targets of mapped origins.
    pub(super) fn unguarded(&self) -> Self {
        Self { resolver: self.resolver.clone(), policy: None }
    }

    async fn addresses(self, host: &str) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
        // A public name is absolute: the system's search list would make another name of it.
        let absolute = match &self.policy {
            Some(_) => format!("{}.", host.trim_end_matches('.')),
            None => host.to_owned(),
        };
        // Such as one with a part of more than 63 bytes. Others are asked for as they are, `a_b.example.org` too.
        let Ok(absolute) = Name::from_str_relaxed(absolute) else {
            return Err(NoSuchName(host.to_owned()).into());
        };
        let found = match self.resolver.lookup_ip(absolute).await {
            Ok(found) => found,
            // Servers that cannot be reached, or that fail, say something else.
            Err(error) if error.is_no_records_found() => return Err(NoSuchName(host.to_owned()).into()),
            Err(error) => return Err(error.into()),
        };
        let mut addresses = Vec::new();
        for address in found.iter() {
            if let Some(policy) = &self.policy {
                policy.check_address(host, address)?;
            }
            addresses.push(SocketAddr::new(address, 0));
        }
        Ok(Box::new(addresses.into_iter()))
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move { resolver.addresses(name.as_str()).await })
    }
}
