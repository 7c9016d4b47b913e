// bitcoinjs.js VERB: what bitcoinjs-lib and its companions say of lines on standard input.
//
//   address  {network, type, path, mnemonic, passphrase?}: the key line of that path
//   child    {network, type, xpub, path}: the same below an extended public key
//   wif      {network, type, wif}: the key line of a single key
//   leaf     {key}: an output that a leaf `<key> OP_CHECKSIG` spends, as a utxo line has it
//   verify   a signed tx line in the lean form: for each input, its kind (p2pkh, v0_p2wpkh,
//            p2sh-p2wpkh, v1_p2tr) and whether it is signed for the hash computed here
"use strict";

const ecc = require("@bitcoinerlab/secp256k1");
const bitcoin = require("bitcoinjs-lib");
const { rootHashFromPath, tapleafHash } = require("bitcoinjs-lib/src/payments/bip341");
const { BIP32Factory } = require("bip32");
const bip39 = require("bip39");
const wif = require("wif");

bitcoin.initEccLib(ecc);
const bip32 = BIP32Factory(ecc);

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => Buffer.from(text, "hex");
const network = (name) =>
	({ main: bitcoin.networks.bitcoin, testnet3: bitcoin.networks.testnet,
		regtest: bitcoin.networks.regtest })[name];

function payment(type, pubkey, net) {
	const p = bitcoin.payments;
	switch (type) {
	case "p2pkh":
		return p.p2pkh({ pubkey, network: net });
	case "p2sh-p2wpkh":
		return p.p2sh({ redeem: p.p2wpkh({ pubkey, network: net }), network: net });
	case "p2wpkh":
		return p.p2wpkh({ pubkey, network: net });
	case "p2tr":
		return p.p2tr({ internalPubkey: pubkey.subarray(1), network: net });
	}
	throw new Error("unknown type " + type);
}

function keyLine(line, node) {
	const net = network(line.network);
	const { address } = payment(line.type, node.publicKey, net);
	return { address, pubkey: hex(node.publicKey) };
}

// The seed takes 2048 rounds of HMAC: once for the lines of one mnemonic.
const seeds = new Map();

function seedOf(mnemonic, passphrase) {
	const name = mnemonic + "\n" + passphrase;
	if (!bip39.validateMnemonic(mnemonic))
		throw new Error("not a mnemonic");
	if (!seeds.has(name))
		seeds.set(name, bip39.mnemonicToSeedSync(mnemonic, passphrase));
	return seeds.get(name);
}

function address(line) {
	const seed = seedOf(line.mnemonic, line.passphrase || "");
	const master = bip32.fromSeed(seed, network(line.network));
	const node = master.derivePath(line.path.replaceAll("h", "'"));
	return { ...keyLine(line, node), path: line.path, fingerprint: hex(master.fingerprint),
		wif: node.toWIF() };
}

function child(line) {
	const account = bip32.fromBase58(line.xpub, network(line.network));
	return keyLine(line, account.derivePath(line.path));
}

function single(line) {
	const key = wif.decode(line.wif, network(line.network).wif);
	const publicKey = ecc.pointFromScalar(key.privateKey, key.compressed);
	return keyLine(line, { publicKey });
}

// BIP 341's internal key, which nobody can sign for.
const NOBODY = bytes("50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0");

function leaf(line) {
	const { compile } = bitcoin.script;
	const script = (key) => ({ output: compile([key, bitcoin.opcodes.OP_CHECKSIG]) });
	const ours = script(bytes(line.key).subarray(-32));
	const p2tr = bitcoin.payments.p2tr({ internalPubkey: NOBODY,
		scriptTree: [ours, script(NOBODY)], redeem: ours });
	const control = p2tr.witness[p2tr.witness.length - 1];
	return { scriptpubkey: hex(p2tr.output), tap_internal_key: hex(NOBODY),
		tap_merkle_root: hex(p2tr.hash),
		tap_leaf_script: { [hex(control)]: hex(ours.output) + "c0" } };
}

// A DER signature with its hash type; every one must be strictly encoded with a low S.
function ecdsa(hashOf, pubkey, signature) {
	const { signature: compact, hashType } = bitcoin.script.signature.decode(signature);
	return ecc.verify(hashOf(hashType), pubkey, compact, true);
}

function verifyInput(tx, index, prevouts) {
	const { witness, script: scriptSig } = tx.ins[index];
	const { script, value } = prevouts[index];
	const v0 = (keyHash) => {
		const code = bitcoin.payments.p2pkh({ hash: keyHash }).output;
		const hash = (type) => tx.hashForWitnessV0(index, code, value, type);
		return ecdsa(hash, witness[1], witness[0]);
	};
	const hash160 = (preimage) => hex(bitcoin.crypto.hash160(preimage));
	const kind = hex(script);

	if (/^76a914.{40}88ac$/.test(kind)) {
		const [signature, pubkey] = bitcoin.script.decompile(scriptSig);
		const hash = (type) => tx.hashForSignature(index, script, type);
		return { kind: "p2pkh", good: hash160(pubkey) === kind.slice(6, 46) &&
			ecdsa(hash, pubkey, signature) };
	}
	if (/^0014/.test(kind))
		return { kind: "v0_p2wpkh", good: v0(script.subarray(2)) };
	if (/^a914/.test(kind)) {
		const redeem = scriptSig.subarray(1);
		return { kind: "p2sh-p2wpkh", good: /^0014.{40}$/.test(hex(redeem)) &&
			hash160(redeem) === kind.slice(4, 44) && v0(redeem.subarray(2)) };
	}
	if (/^5120/.test(kind))
		return { kind: "v1_p2tr", good: taproot(tx, index, prevouts, witness) };
	throw new Error("cannot verify " + kind);
}

// By the key path, or by a leaf `<key> OP_CHECKSIG` whose commitment is computed here too.
function taproot(tx, index, prevouts, witness) {
	const output = prevouts[index].script.subarray(2);
	let key = output;
	let leaf;
	if (witness.length > 1) {
		const [, script, control] = witness;
		leaf = tapleafHash({ output: script, version: control[0] & 0xfe });
		const root = rootHashFromPath(control, leaf);
		const internal = control.subarray(1, 33);
		const tweak = bitcoin.crypto.taggedHash("TapTweak",
			Buffer.concat([internal, root]));
		const { xOnlyPubkey, parity } = ecc.xOnlyPointAddTweak(internal, tweak);
		if (hex(xOnlyPubkey) !== hex(output) || parity !== (control[0] & 1))
			return false;
		key = script.subarray(1, 33);
	}
	const { SIGHASH_DEFAULT } = bitcoin.Transaction;
	const type = witness[0].length > 64 ? witness[0][64] : SIGHASH_DEFAULT;
	const hash = tx.hashForWitnessV1(index, prevouts.map((p) => p.script),
		prevouts.map((p) => p.value), type, leaf);
	return ecc.verifySchnorr(hash, key, witness[0].subarray(0, 64));
}

function verify(line) {
	const tx = bitcoin.Transaction.fromHex(line.hex);
	const prevouts = line.prevouts.map((p) => ({ script: bytes(p.scriptpubkey),
		value: BigInt(p.value) }));
	return { txid: tx.getId(), weight: tx.weight(),
		inputs: tx.ins.map((_, i) => verifyInput(tx, i, prevouts)) };
}

const verbs = { address, child, wif: single, leaf, verify };
const answer = verbs[process.argv[2]];
for (const line of require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean))
	console.log(JSON.stringify(answer(JSON.parse(line))));
