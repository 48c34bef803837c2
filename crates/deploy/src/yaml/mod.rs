//! YAML and JSON files as trees that know where each value stands.
