// Package localca is a certificate authority in a folder, for the processes of one machine or one team: a topology that is started here
// gives each of its processes a certificate which names its modules. It is no substitute for the authority of a real installation,
// which has only to issue the same URI names (see rpc.ModuleURI).
package localca
