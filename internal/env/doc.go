// Package env is the program's only door to clock, disk, network and randomness.
//
// Every other package takes an Env (or one of its parts) and never calls
// time.Now, os.*, net.* or rand.* itself, so that a whole broker can run over
// virtual time, a memory network and a disk that crashes on demand.
//
//   - Owns: nothing; it is a set of interfaces and their real implementation.
//   - Goroutines: none.
//   - Disk: what the caller asks for.
//   - Locks: none in the real implementation.
//   - Kafka counterpart: org.apache.kafka.common.utils.Time and java.nio.file.
package env
