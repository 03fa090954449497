//! The one outbound door, for sources' requests and image downloads alike. The only place that opens outbound sockets.
