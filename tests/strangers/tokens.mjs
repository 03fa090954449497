// Makes tokens with a library of others, for a host that verifies those of Supabase:
//
//     node tokens.mjs ISSUER USER_ID
//
// Prints one JSON object: the set of keys to publish (`jwks`), the shared secret of the legacy mode
// (`secret`), and tokens with the status that each must get, for a host that has the keys (`tokens`)
// and for one that has the secret (`secret_tokens`). Every token can be sent as a header as it is.
//
// What is right follows from the RFCs (7515 to 7519, 7797, 8725) and from what the host promises:
// ES256 and RS256 only, a key by `kid` whose use, alg and key_ops allow it, the claims exp, iss, aud,
// sub and role, 30 s of leeway, at most 16 KiB.
import { constants, createHmac, generateKeyPairSync, randomBytes, sign as signBytes } from 'node:crypto';
import { CompactEncrypt, CompactSign, exportJWK, SignJWT, UnsecuredJWT } from 'jose';

const [ISSUER, USER] = process.argv.slice(2);
if (!ISSUER || !USER) throw new Error('usage: node tokens.mjs ISSUER USER_ID');
const NOW = Math.floor(Date.now() / 1000);
const LONGEST = 16 << 10;

// --- Keys

const ec = (namedCurve) => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength) => generateKeyPairSync('rsa', { modulusLength });
const [es, otherEs, stranger, es384, ed] = [
  ec('P-256'),
  ec('P-256'),
  ec('P-256'),
  ec('P-384'),
  generateKeyPairSync('ed25519'),
];
const [rs, strangerRs, small] = [rsa(2048), rsa(2048), rsa(1024)];
const shared = randomBytes(32);
const SECRET = randomBytes(40).toString('base64');

const publish = async (kid, pair, members) => ({ kid, ...(await exportJWK(pair.publicKey)), ...members });
const jwks = {
  keys: [
    // As Supabase publishes them.
    await publish('es', es, { alg: 'ES256', use: 'sig', key_ops: ['verify'], ext: true }),
    await publish('rs', rs, { alg: 'RS256', use: 'sig', key_ops: ['verify'], ext: true }),
    // What is optional left out, or said in another way.
    await publish('es-plain', otherEs),
    await publish('rs-plain', rs),
    await publish('es-ops', es, { key_ops: ['sign', 'verify'] }),
    // RFC 7517, 4 and 4.3: unknown members must be ignored, and other operations may be listed.
    await publish('es-more', es, { key_ops: ['verify', 'admire'], 'x-made': { by: 'hand' } }),
    // Two entries of one id, of which one cannot be used.
    await publish('es-twice', es, { use: 'enc' }),
    await publish('es-twice', es, { use: 'sig' }),
    // The same keys, but not for this.
    await publish('es-enc', es, { use: 'enc' }),
    await publish('rs-enc', rs, { use: 'enc' }),
    await publish('es-other-use', es, { use: 'love' }),
    await publish('es-says-es384', es, { alg: 'ES384' }),
    await publish('es-says-rs256', es, { alg: 'RS256' }),
    await publish('es-says-unknown', es, { alg: 'ES257' }),
    await publish('rs-says-rs512', rs, { alg: 'RS512' }),
    await publish('rs-says-ps256', rs, { alg: 'PS256' }),
    await publish('es-sign-only', es, { key_ops: ['sign'] }),
    await publish('es-no-ops', es, { key_ops: [] }),
    { kid: 'oct', kty: 'oct', alg: 'HS256', use: 'sig', k: shared.toString('base64url') },
    { kid: 'oct-plain', kty: 'oct', k: shared.toString('base64url') },
    await publish('es384', es384, { alg: 'ES384', use: 'sig' }),
    await publish('ed', ed, { alg: 'EdDSA', use: 'sig' }),
    // RFC 7518, 3.3: a key of 2048 bits or more must be used.
    await publish('rs-small', small, { alg: 'RS256', use: 'sig' }),
    // Not to be understood, which must not spoil the others (RFC 7517, 5).
    { kid: 'new', kty: 'lattice', alg: 'ML-DSA-44', pub: 'AAAA' },
    { kid: 'half', kty: 'EC', crv: 'P-256', x: 'AAAA' },
    // A point that is not on the curve.
    {
      kid: 'no-point',
      kty: 'EC',
      crv: 'P-256',
      x: randomBytes(32).toString('base64url'),
      y: randomBytes(32).toString('base64url'),
    },
  ],
};

// --- What the tokens say, and how they are put together

const CLAIMS = {
  iss: ISSUER,
  sub: USER,
  aud: 'authenticated',
  role: 'authenticated',
  exp: NOW + 3600,
  iat: NOW,
  email: `${USER}@example.org`,
};
const without = (name) => Object.fromEntries(Object.entries(CLAIMS).filter(([key]) => key !== name));
const ES = { alg: 'ES256', kid: 'es', typ: 'JWT' };
const RS = { alg: 'RS256', kid: 'rs', typ: 'JWT' };
const HS = { alg: 'HS256', typ: 'JWT' };

/** By the library: a changed claim, a changed header, another key. */
const jwt = (claims = {}, header = ES, key = es.privateKey) =>
  new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader(header).sign(key);
const jwtOf = (claims, header = ES, key = es.privateKey) =>
  new SignJWT(claims).setProtectedHeader(header).sign(key);

/** By hand, where the library refuses to: a token of a header, a payload and what signs them. */
const bytes = (value) =>
  typeof value === 'string' || value instanceof Uint8Array
    ? Buffer.from(value)
    : Buffer.from(JSON.stringify(value));
const part = (value) => bytes(value).toString('base64url');
const hand = (header, payload, signer) => {
  const body = `${part(header)}.${part(payload)}`;
  return `${body}.${part(signer(Buffer.from(body)))}`;
};
const byEs = (body) => signBytes('sha256', body, { key: es.privateKey, dsaEncoding: 'ieee-p1363' });
const byDer = (body) => signBytes('sha256', body, { key: es.privateKey, dsaEncoding: 'der' });
const byRs = (body) => signBytes('sha256', body, rs.privateKey);
const byRsOf = (hash, key) => (body) => signBytes(hash, body, key);
const byPss = (body) =>
  signBytes('sha256', body, { key: rs.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
const byHs =
  (key, hash = 'sha256') =>
  (body) =>
    createHmac(hash, key).update(body).digest();
const nothing = () => '';
const always = (signature) => () => signature;

/** A token whose signature holds a character that the two alphabets of base64 write differently. */
async function withOddSignature() {
  for (;;) {
    const token = await jwt();
    if (/[-_][^.]*$/.test(token)) return token;
  }
}

/** The longest token within the limit, and the shortest beyond it. */
async function aboutLongest() {
  for (let length = 11_000, within; ; length++) {
    const token = await jwt({ user_metadata: { note: 'x'.repeat(length) } });
    if (token.length > LONGEST) return { within, beyond: token };
    within = token;
  }
}

const tokens = [];
const good = async (name, token) => tokens.push({ name, token: await token, expect: 200 });
const bad = async (name, token) => tokens.push({ name, token: await token, expect: 401 });

// --- Good ones

const GOOD = await jwt();
const [HEADER, PAYLOAD, SIGNATURE] = GOOD.split('.');
await good('es256', GOOD);
await good('rs256', jwt({}, RS, rs.privateKey));
await good('key without alg and use, es256', jwt({}, { ...ES, kid: 'es-plain' }, otherEs.privateKey));
await good('key without alg and use, rs256', jwt({}, { ...RS, kid: 'rs-plain' }, rs.privateKey));
await good('key for signing and verifying', jwt({}, { ...ES, kid: 'es-ops' }));
await good('key with unknown members and operations', jwt({}, { ...ES, kid: 'es-more' }));
await good('key whose id is there twice, once for something else', jwt({}, { ...ES, kid: 'es-twice' }));
await good('aud is a list of one', jwt({ aud: ['authenticated'] }));
await good('aud is a list of several', jwt({ aud: ['other', 'authenticated', 'https://example.org'] }));
await good(
  'only the claims that must be',
  jwtOf({ iss: ISSUER, sub: USER, aud: 'authenticated', role: 'authenticated', exp: NOW + 3600 }),
);
await good(
  'all claims of supabase',
  jwt({
    phone: '',
    app_metadata: { provider: 'email', providers: ['email', 'google'] },
    user_metadata: {
      email: `${USER}@example.org`,
      email_verified: true,
      phone_verified: false,
      full_name: 'Änn 猫 🐈',
    },
    aal: 'aal1',
    amr: [{ method: 'password', timestamp: NOW }],
    session_id: '6f1c0a52-3a0b-4f0c-9f0a-0e4ad3c6f5b1',
    is_anonymous: false,
  }),
);
await good(
  "claims of the project's own",
  jwt({ 'https://example.org/claims': { plan: ['pro', 1, null] }, org: -1.5, '': 'empty name' }),
);
await good('anonymous', jwt({ is_anonymous: true, email: '', phone: '' }));
await good(
  'optional claims null',
  jwt({ email: null, phone: null, app_metadata: null, user_metadata: null, is_anonymous: null }),
);
await good(
  'optional claims of other types',
  jwt({ email: 5, user_metadata: ['a', 'list'], app_metadata: 'text', is_anonymous: 'yes' }),
);
const { within, beyond } = await aboutLongest();
await good('large user_metadata', within);
await good('expired within the leeway', jwt({ exp: NOW - 5 }));
await good('begins within the leeway', jwt({ nbf: NOW + 20 }));
await good('began', jwt({ nbf: NOW - 1000 }));
// RFC 7519, 2: a NumericDate may be a fraction, and any JSON number will do.
await good('exp is a fraction', jwt({ exp: NOW + 3600.75 }));
await good('nbf is a fraction', jwt({ nbf: NOW - 10.5 }));
await good(
  'exp is written with an exponent',
  hand(ES, JSON.stringify(CLAIMS).replace(`"exp":${CLAIMS.exp}`, '"exp":4.0e9'), byEs),
);
await good('exp in the year 9999', jwt({ exp: 253402300799 }));
// RFC 7519, 4.1.6: iat says the age of a token, and is no reason to refuse one.
await good('iat in the future', jwt({ iat: NOW + 1000 }));
await good('iat missing', jwtOf(without('iat')));
// RFC 9562, 4: hexadecimal digits of either case are read.
await good('sub in upper case', jwt({ sub: USER.toUpperCase() }));
await good('typ absent', jwt({}, { alg: 'ES256', kid: 'es' }));
// RFC 7515, 4.1.9: a media type, of which case does not matter; nothing here asks for one.
await good('typ in lower case', jwt({}, { ...ES, typ: 'jwt' }));
// RFC 7515, 4: header parameters that are not understood must be ignored, unless `crit` names them.
await good('unknown header parameters', jwt({}, { ...ES, 'x-trace': { id: [1, 2] }, nonce: 'abc', exp: 1 }));
await good(
  'known header parameters of the key, ignored',
  jwt({}, { ...ES, jku: 'https://evil.example/jwks.json', x5t: 'AAAA' }),
);
await good('embedded key, ignored', jwt({}, { ...ES, jwk: await exportJWK(stranger.publicKey) }));
await good(
  'white space within the JSON',
  hand(JSON.stringify(ES, null, 2), JSON.stringify(CLAIMS, null, '\t'), byEs),
);
// RFC 8259, 8.3: names are equal when they are, once unescaped.
await good(
  'escapes within the JSON',
  hand(
    JSON.stringify(ES).replace('ES256', '\\u0045S256'),
    JSON.stringify(CLAIMS).replace('"role"', '"r\\u006fle"'),
    byEs,
  ),
);

// --- Other algorithms than the two

for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
  await bad(`alg "${alg}", without signature`, hand({ ...ES, alg }, CLAIMS, nothing));
  await bad(`alg "${alg}", with the signature of another token`, hand({ ...ES, alg }, CLAIMS, byEs));
}
await bad('alg none as the library makes it', new UnsecuredJWT(CLAIMS).encode());
await bad('alg missing', hand({ kid: 'es', typ: 'JWT' }, CLAIMS, byEs));
await bad('alg null', hand({ ...ES, alg: null }, CLAIMS, byEs));
await bad('alg a list', hand({ ...ES, alg: ['ES256'] }, CLAIMS, byEs));
// RFC 7515, 4.1.1: it is case-sensitive.
await bad('alg in lower case', hand({ ...ES, alg: 'es256' }, CLAIMS, byEs));
await bad('alg es384 with its own key', jwt({}, { ...ES, alg: 'ES384', kid: 'es384' }, es384.privateKey));
await bad(
  'alg es256 with a P-384 key',
  hand({ ...ES, kid: 'es384' }, CLAIMS, (body) =>
    signBytes('sha256', body, { key: es384.privateKey, dsaEncoding: 'ieee-p1363' }),
  ),
);
await bad(
  'alg es384 with a P-256 key',
  hand({ ...ES, alg: 'ES384' }, CLAIMS, (body) =>
    signBytes('sha384', body, { key: es.privateKey, dsaEncoding: 'ieee-p1363' }),
  ),
);
await bad('alg eddsa with its own key', jwt({}, { ...ES, alg: 'EdDSA', kid: 'ed' }, ed.privateKey));
await bad('alg rs384', jwt({}, { ...RS, alg: 'RS384' }, rs.privateKey));
await bad('alg rs512', jwt({}, { ...RS, alg: 'RS512' }, rs.privateKey));
await bad('alg ps256', jwt({}, { ...RS, alg: 'PS256' }, rs.privateKey));
await bad('alg rs256 with a signature of ps256', hand(RS, CLAIMS, byPss));
await bad('alg rs256 with a digest by sha-1', hand(RS, CLAIMS, byRsOf('sha1', rs.privateKey)));
await bad('alg rs256 with a digest by sha-512', hand(RS, CLAIMS, byRsOf('sha512', rs.privateKey)));
await bad('alg rs256 with the id of an EC key', jwt({}, { ...RS, kid: 'es' }, rs.privateKey));
await bad('alg es256 with the id of an RSA key', jwt({}, { ...ES, kid: 'rs' }));
await bad('alg rs256 with a signature of es256', hand({ ...RS, kid: 'es' }, CLAIMS, byEs));

// The public key, which everybody has, taken for a shared secret.
const PUBLIC = {
  'PEM of the EC key': ['es', es.publicKey.export({ type: 'spki', format: 'pem' })],
  'PEM of the EC key without its last line end': [
    'es',
    es.publicKey.export({ type: 'spki', format: 'pem' }).trim(),
  ],
  'DER of the EC key': ['es', es.publicKey.export({ type: 'spki', format: 'der' })],
  'JWK of the EC key': ['es', JSON.stringify(jwks.keys[0])],
  'point of the EC key': [
    'es',
    Buffer.concat([
      Buffer.from([4]),
      Buffer.from(jwks.keys[0].x, 'base64url'),
      Buffer.from(jwks.keys[0].y, 'base64url'),
    ]),
  ],
  'x of the EC key': ['es', jwks.keys[0].x],
  'PEM of the RSA key': ['rs', rs.publicKey.export({ type: 'spki', format: 'pem' })],
  'PEM of the RSA key as PKCS #1': ['rs', rs.publicKey.export({ type: 'pkcs1', format: 'pem' })],
  'DER of the RSA key as PKCS #1': ['rs', rs.publicKey.export({ type: 'pkcs1', format: 'der' })],
  'JWK of the RSA key': ['rs', JSON.stringify(jwks.keys[1])],
  'n of the RSA key': ['rs', Buffer.from(jwks.keys[1].n, 'base64url')],
};
for (const [what, [kid, key]] of Object.entries(PUBLIC)) {
  await bad(`alg hs256 with the ${what} as secret`, hand({ ...HS, kid }, CLAIMS, byHs(key)));
}
await bad(
  'alg hs256 with the PEM as secret, said to be es256',
  hand(ES, CLAIMS, byHs(PUBLIC['PEM of the EC key'][1])),
);
await bad('alg hs256 with the published oct key', jwt({}, { ...HS, kid: 'oct' }, shared));
await bad(
  'alg hs256 with the published oct key that says nothing',
  jwt({}, { ...HS, kid: 'oct-plain' }, shared),
);
await bad('alg hs256 without a kid', jwt({}, HS, shared));
await bad('alg hs256 with the legacy secret', jwt({}, HS, Buffer.from(SECRET)));
await bad('alg hs256 with an empty secret', hand({ ...HS, kid: 'es' }, CLAIMS, byHs('')));
await bad('es256 said to be by the oct key', jwt({}, { ...ES, kid: 'oct' }));

// --- Keys that are not the one

await bad('kid absent', jwt({}, { alg: 'ES256', typ: 'JWT' }));
for (const kid of [
  'unknown',
  '',
  'ES',
  'es ',
  'es\u0000',
  '../../../../dev/null',
  'file:///dev/null',
  "es' or '1'='1",
  '*',
  'k'.repeat(9000),
]) {
  await bad(`kid ${JSON.stringify(kid.slice(0, 30))}`, jwt({}, { ...ES, kid }));
}
for (const kid of [null, 0, ['es'], { es: 'es' }, true]) {
  await bad(`kid ${JSON.stringify(kid)}`, hand({ ...ES, kid }, CLAIMS, byEs));
}
await bad('kid of another key', jwt({}, { ...ES, kid: 'es-plain' }));
await bad('kid of a key that is unknown here', jwt({}, { ...ES, kid: 'es' }, stranger.privateKey));
await bad('kid of an RSA key, signed by another', jwt({}, RS, strangerRs.privateKey));
for (const kid of [
  'es-enc',
  'es-other-use',
  'es-says-es384',
  'es-says-rs256',
  'es-says-unknown',
  'es-sign-only',
  'es-no-ops',
  'half',
  'no-point',
]) {
  await bad(`key ${kid}`, jwt({}, { ...ES, kid }));
}
for (const kid of ['rs-enc', 'rs-says-rs512', 'rs-says-ps256', 'new']) {
  await bad(`key ${kid}`, jwt({}, { ...RS, kid }, rs.privateKey));
}
await bad('key rs-small', hand({ ...RS, kid: 'rs-small' }, CLAIMS, byRsOf('sha256', small.privateKey)));
// RFC 8725, 3.10: keys that a token brings along or points to prove nothing.
const OWN = await exportJWK(stranger.publicKey);
await bad('signed by an embedded key', jwt({}, { ...ES, jwk: { ...OWN, kid: 'es' } }, stranger.privateKey));
await bad(
  'signed by an embedded key, without a kid',
  jwt({}, { alg: 'ES256', jwk: OWN }, stranger.privateKey),
);
await bad(
  'signed by a key that jku points to',
  jwt({}, { ...ES, jku: 'https://evil.example/jwks.json' }, stranger.privateKey),
);
await bad(
  'signed by an unknown key that jku points to',
  jwt({}, { ...ES, kid: 'evil', jku: 'https://evil.example/jwks.json' }, stranger.privateKey),
);
await bad(
  'signed by a key that x5u points to',
  jwt({}, { ...ES, x5u: 'https://evil.example/cert.pem' }, stranger.privateKey),
);
await bad(
  'signed by a key in x5c',
  jwt(
    {},
    { ...ES, x5c: [stranger.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')] },
    stranger.privateKey,
  ),
);

// --- Signatures

const OTHER = await jwt({ email: 'other@example.org' });
const EVIL = part({ ...CLAIMS, sub: '00000000-0000-4000-8000-00000000bad0' });
const raw = Buffer.from(SIGNATURE, 'base64url');
await bad('signature empty', `${HEADER}.${PAYLOAD}.`);
await bad('signature of another token', `${HEADER}.${PAYLOAD}.${OTHER.split('.')[2]}`);
await bad(
  'signature with a bit changed',
  `${HEADER}.${PAYLOAD}.${part(raw.map((byte, i) => (i === 40 ? byte ^ 1 : byte)))}`,
);
await bad('signature without its last byte', `${HEADER}.${PAYLOAD}.${part(raw.subarray(0, 63))}`);
await bad('half of the signature', `${HEADER}.${PAYLOAD}.${part(raw.subarray(0, 32))}`);
await bad(
  'signature with a byte more',
  `${HEADER}.${PAYLOAD}.${part(Buffer.concat([raw, Buffer.from([0])]))}`,
);
// RFC 7518, 3.4: the two numbers one after the other, not in DER.
await bad('signature in DER', hand(ES, CLAIMS, byDer));
await bad('signature of zeros', hand(ES, CLAIMS, always(Buffer.alloc(64))));
await bad('signature of ones', hand(ES, CLAIMS, always(Buffer.alloc(64, 255))));
await bad(
  'signature of r = s = the order',
  hand(
    ES,
    CLAIMS,
    always(Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'.repeat(2), 'hex')),
  ),
);
await bad('rs256 with an empty signature', hand(RS, CLAIMS, nothing));
await bad('rs256 with a signature of zeros', hand(RS, CLAIMS, always(Buffer.alloc(256))));
await bad('rs256 with a signature of one', hand(RS, CLAIMS, always(Buffer.from([...Buffer.alloc(255), 1]))));
await bad(
  'rs256 with a signature without its last byte',
  hand(RS, CLAIMS, (body) => byRs(body).subarray(0, 255)),
);
await bad(
  'rs256 with a zero before the signature',
  hand(RS, CLAIMS, (body) => Buffer.concat([Buffer.from([0]), byRs(body)])),
);
await bad('payload changed', `${HEADER}.${EVIL}.${SIGNATURE}`);
await bad('header changed', `${part({ ...ES, typ: 'at+jwt' })}.${PAYLOAD}.${SIGNATURE}`);
await bad('header written otherwise', `${part(JSON.stringify(ES, null, 1))}.${PAYLOAD}.${SIGNATURE}`);
await bad('payload of another token', `${HEADER}.${OTHER.split('.')[1]}.${SIGNATURE}`);

// RFC 7515, 4.1.11: what is critical and not understood must be refused, whatever it says; the list
// is not empty, names what is there, and nothing that the RFC itself defines.
const odd = { 'http://example.org/must': true };
await bad(
  'crit names what nobody knows',
  new CompactSign(bytes(CLAIMS))
    .setProtectedHeader({ ...ES, ...odd, crit: Object.keys(odd) })
    .sign(es.privateKey, { crit: odd }),
);
await bad(
  'crit names exp',
  new CompactSign(bytes(CLAIMS))
    .setProtectedHeader({ ...ES, exp: NOW + 3600, crit: ['exp'] })
    .sign(es.privateKey, { crit: { exp: true } }),
);
await bad('crit is empty', hand({ ...ES, crit: [] }, CLAIMS, byEs));
await bad('crit names what is not there', hand({ ...ES, crit: ['http://example.org/must'] }, CLAIMS, byEs));
await bad('crit names alg', hand({ ...ES, crit: ['alg'] }, CLAIMS, byEs));
await bad('crit is no list', hand({ ...ES, ...odd, crit: Object.keys(odd)[0] }, CLAIMS, byEs));
await bad('rs256 with crit', hand({ ...RS, ...odd, crit: Object.keys(odd) }, CLAIMS, byRs));
// RFC 7797, 7: `b64` of false is not for tokens. Without `crit` it is an unknown parameter, to be
// ignored; then a payload that is not encoded is none.
await bad(
  'b64 false and critical, payload encoded',
  hand({ ...ES, b64: false, crit: ['b64'] }, CLAIMS, byEs),
);
const bare = JSON.stringify(without('email')).replaceAll('.', '\\u002e');
const bareBody = `${part({ ...ES, b64: false, crit: ['b64'] })}.${bare}`;
await bad('b64 false and critical, payload not encoded', `${bareBody}.${part(byEs(Buffer.from(bareBody)))}`);
const quietBody = `${part({ ...ES, b64: false })}.${bare}`;
await bad('b64 false, payload not encoded', `${quietBody}.${part(byEs(Buffer.from(quietBody)))}`);

// --- Claims

const WRONG = {
  exp: [
    NOW - 120,
    0,
    -1,
    -(NOW + 3600),
    NOW - 120.5,
    String(NOW + 3600),
    null,
    true,
    [NOW + 3600],
    { at: NOW + 3600 },
    'never',
    '',
  ],
  // RFC 7519, 4.1.5: its value must be a number; a token whose nbf cannot be read is not one that has begun.
  nbf: [
    NOW + 120,
    NOW + 120.5,
    253402300799,
    String(NOW + 3600),
    String(NOW - 3600),
    [NOW + 3600],
    { at: NOW + 3600 },
    true,
  ],
  iss: [
    `${ISSUER}/`,
    `${ISSUER}x`,
    ISSUER.slice(0, -1),
    ISSUER.toUpperCase(),
    ` ${ISSUER}`,
    ISSUER.replace('/auth/v1', ''),
    ISSUER.replace(/^https?/, (scheme) => (scheme === 'http' ? 'https' : 'http')),
    'https://evil.example/auth/v1',
    `https://evil.example/?${ISSUER}`,
    'supabase',
    '',
    null,
    5,
    [ISSUER],
    [ISSUER, 'https://evil.example/auth/v1'],
    { iss: ISSUER },
  ],
  aud: [
    'anon',
    '',
    'Authenticated',
    'authenticated ',
    'authenticated,anon',
    'service_role',
    null,
    5,
    true,
    [],
    ['anon'],
    [''],
    [['authenticated']],
    { authenticated: true },
  ],
  sub: [
    '',
    'not-a-uuid',
    `${USER}x`,
    USER.slice(0, -1),
    ` ${USER}`,
    `${USER}\u0000`,
    `${USER}' or '1'='1`,
    5,
    null,
    true,
    [USER],
    { id: USER },
  ],
  role: [
    'anon',
    'service_role',
    'supabase_admin',
    'postgres',
    'Authenticated',
    'authenticated ',
    '',
    null,
    5,
    true,
    ['authenticated'],
    { authenticated: true },
  ],
};
for (const [claim, values] of Object.entries(WRONG)) {
  for (const value of values) await bad(`${claim} is ${JSON.stringify(value)}`, jwt({ [claim]: value }));
  if (claim !== 'nbf') await bad(`${claim} missing`, jwtOf(without(claim)));
}
await bad('rs256, expired', jwt({ exp: NOW - 120 }, RS, rs.privateKey));
await bad('rs256, role service_role', jwt({ role: 'service_role' }, RS, rs.privateKey));
await bad('no claims at all', jwtOf({}));
// RFC 7519, 4: of a claim that is there twice the last counts, or the token is refused.
for (const [claim, value] of [
  ['role', 'anon'],
  ['sub', 'nobody'],
  ['exp', NOW - 120],
  ['iss', 'https://evil.example'],
  ['aud', 'anon'],
]) {
  await bad(
    `${claim} twice, the last is wrong`,
    hand(ES, `${JSON.stringify(CLAIMS).slice(0, -1)},${JSON.stringify({ [claim]: value }).slice(1)}`, byEs),
  );
}
await bad(
  'alg twice, the last is none',
  hand(`${JSON.stringify(ES).slice(0, -1)},"alg":"none"}`, CLAIMS, byEs),
);

// The keys of a project, which are no tokens of users.
const API_KEY = { iss: 'supabase', ref: 'abcdefghijklmnopqrst', iat: NOW - 1000, exp: NOW + 3600 };
await bad('API key anon, by the legacy secret', jwtOf({ ...API_KEY, role: 'anon' }, HS, Buffer.from(SECRET)));
await bad(
  'API key service_role, by the legacy secret',
  jwtOf({ ...API_KEY, role: 'service_role' }, HS, Buffer.from(SECRET)),
);
await bad('API key service_role, by the key of the project', jwtOf({ ...API_KEY, role: 'service_role' }));
await bad(
  'API key of the newer kind, publishable',
  `sb_publishable_${randomBytes(16).toString('base64url')}_abcdefgh`,
);
await bad('API key of the newer kind, secret', `sb_secret_${randomBytes(16).toString('base64url')}_abcdefgh`);

// --- Forms

await bad(
  'JWE of the claims',
  new CompactEncrypt(bytes(CLAIMS))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'oct' })
    .encrypt(shared),
);
await bad(
  'JWE of a good token',
  new CompactEncrypt(bytes(GOOD))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: 'es', cty: 'JWT' })
    .encrypt(es.publicKey),
);
await bad(
  'nested: a good token within one that is signed',
  new CompactSign(bytes(GOOD)).setProtectedHeader({ ...ES, cty: 'JWT' }).sign(es.privateKey),
);
await bad(
  'JSON serialization',
  JSON.stringify({ protected: HEADER, payload: PAYLOAD, signature: SIGNATURE }),
);
await bad('one part', PAYLOAD);
await bad('two parts', `${HEADER}.${PAYLOAD}`);
await bad('four parts', `${GOOD}.${SIGNATURE}`);
await bad('five parts', `${GOOD}.${PAYLOAD}.${SIGNATURE}`);
await bad('a dot more at the end', `${GOOD}.`);
await bad('a dot more at the beginning', `.${GOOD}`);
await bad('only dots', '..');
await bad('header empty', `.${PAYLOAD}.${SIGNATURE}`);
await bad('payload empty', `${HEADER}..${part(byEs(Buffer.from(`${HEADER}.`)))}`);
await bad('a word', 'null');
await bad('two tokens', `${GOOD},${GOOD}`);
await bad('in quotes', `"${GOOD}"`);
await bad('dots escaped', GOOD.replaceAll('.', '%2E'));
// RFC 7515, 2: base64url without padding, line breaks, white space or other characters.
await bad('white space before a dot', `${HEADER} .${PAYLOAD}.${SIGNATURE}`);
await bad(
  'white space within the payload',
  `${HEADER}.${PAYLOAD.slice(0, 40)} ${PAYLOAD.slice(40)}.${SIGNATURE}`,
);
const padded = (text) => text + '='.repeat((4 - (text.length % 4)) % 4);
await bad('signature padded', `${HEADER}.${PAYLOAD}.${padded(SIGNATURE)}`);
// With spaces after the JSON until there is something to pad.
const uneven = (json) => (json.length % 3 === 1 ? padded(part(json)) : uneven(`${json} `));
const paddedBody = `${uneven(JSON.stringify(ES))}.${uneven(JSON.stringify(CLAIMS))}`;
await bad('all padded, and signed so', `${paddedBody}.${padded(part(byEs(Buffer.from(paddedBody))))}`);
const inOtherAlphabet = (signature) => signature.replaceAll('-', '+').replaceAll('_', '/');
await bad('signature in the other alphabet', (await withOddSignature()).replace(/[^.]*$/, inOtherAlphabet));
await bad('signature in hexadecimal', `${HEADER}.${PAYLOAD}.${raw.toString('hex')}`);
await bad('payload is no JSON', hand(ES, JSON.stringify(CLAIMS).slice(0, -1), byEs));
await bad('payload has something after the JSON', hand(ES, `${JSON.stringify(CLAIMS)}x`, byEs));
await bad('payload is a list', hand(ES, [CLAIMS], byEs));
await bad('payload is a text', hand(ES, JSON.stringify(JSON.stringify(CLAIMS)), byEs));
await bad('payload is null', hand(ES, 'null', byEs));
// RFC 7519, 7.2: UTF-8.
await bad(
  'payload is not UTF-8',
  hand(
    ES,
    Buffer.concat([
      bytes(JSON.stringify(CLAIMS).slice(0, -1)),
      bytes(',"name":"'),
      Buffer.from([0xff, 0xfe]),
      bytes('"}'),
    ]),
    byEs,
  ),
);
await bad('payload is UTF-16', hand(ES, Buffer.from(JSON.stringify(CLAIMS), 'utf16le'), byEs));
await bad('header is no JSON', hand('{"alg":"ES256","kid":"es"', CLAIMS, byEs));
await bad('header is a list', hand([ES], CLAIMS, byEs));
await bad(
  'header is deep',
  hand(`{"alg":"ES256","kid":"es","x":${'['.repeat(3000)}${']'.repeat(3000)}`, CLAIMS, byEs),
);
await bad('more than 16 KiB', beyond);
await bad('more than 16 KiB, for its signature', `${GOOD}${'A'.repeat(LONGEST)}`);

// --- The legacy mode: one secret, HS256

const secretBytes = Buffer.from(SECRET);
const secretTokens = [];
const allow = async (name, token) => secretTokens.push({ name, token: await token, expect: 200 });
const refuse = async (name, token) => secretTokens.push({ name, token: await token, expect: 401 });
const legacy = await jwt({}, HS, secretBytes);
await allow('hs256', legacy);
// The one key is the secret, whatever a token calls it.
await allow('hs256 with a kid', jwt({}, { ...HS, kid: 'L3/x+y=' }, secretBytes));
await allow('typ absent', jwt({}, { alg: 'HS256' }, secretBytes));
await allow('aud is a list', jwt({ aud: ['authenticated'] }, HS, secretBytes));
await allow(
  'only the claims that must be',
  jwtOf(
    { iss: ISSUER, sub: USER, aud: 'authenticated', role: 'authenticated', exp: NOW + 3600 },
    HS,
    secretBytes,
  ),
);
await allow('expired within the leeway', jwt({ exp: NOW - 5 }, HS, secretBytes));
await refuse('es256 by a published key', GOOD);
await refuse('rs256 by a published key', jwt({}, RS, rs.privateKey));
await refuse('hs384 by the secret', hand({ ...HS, alg: 'HS384' }, CLAIMS, byHs(SECRET, 'sha384')));
await refuse('hs512 by the secret', hand({ ...HS, alg: 'HS512' }, CLAIMS, byHs(SECRET, 'sha512')));
await refuse('said to be hs256, by sha-512', hand(HS, CLAIMS, byHs(SECRET, 'sha512')));
await refuse('said to be es256, by the secret', hand(ES, CLAIMS, byHs(SECRET)));
await refuse('said to be rs256, by the secret', hand(RS, CLAIMS, byHs(SECRET)));
await refuse('alg in lower case', hand({ ...HS, alg: 'hs256' }, CLAIMS, byHs(SECRET)));
await refuse('alg none, without signature', hand({ ...HS, alg: 'none' }, CLAIMS, nothing));
await refuse('alg none, with a good signature', hand({ ...HS, alg: 'none' }, CLAIMS, byHs(SECRET)));
await refuse('alg missing', hand({ typ: 'JWT' }, CLAIMS, byHs(SECRET)));
await refuse('other secret', jwt({}, HS, randomBytes(32)));
await refuse('empty secret', hand(HS, CLAIMS, byHs('')));
// Supabase takes the text of the secret, not what it would be if it were base64.
await refuse('the secret decoded', hand(HS, CLAIMS, byHs(Buffer.from(SECRET, 'base64'))));
await refuse('the secret with a line end', hand(HS, CLAIMS, byHs(`${SECRET}\n`)));
await refuse('the secret without its last character', hand(HS, CLAIMS, byHs(SECRET.slice(0, -1))));
await refuse('the published oct key', jwt({}, { ...HS, kid: 'oct' }, shared));
await refuse(
  'the published EC key as secret',
  hand({ ...HS, kid: 'es' }, CLAIMS, byHs(PUBLIC['PEM of the EC key'][1])),
);
await refuse(
  'half of the signature',
  hand(HS, CLAIMS, (body) => byHs(SECRET)(body).subarray(0, 16)),
);
await refuse('signature empty', hand(HS, CLAIMS, nothing));
await refuse('payload changed', [legacy.split('.')[0], EVIL, legacy.split('.')[2]].join('.'));
await refuse('expired', jwt({ exp: NOW - 120 }, HS, secretBytes));
await refuse('not begun', jwt({ nbf: NOW + 120 }, HS, secretBytes));
await refuse('exp missing', jwtOf(without('exp'), HS, secretBytes));
await refuse('iss of another', jwt({ iss: 'https://evil.example/auth/v1' }, HS, secretBytes));
await refuse('aud of another', jwt({ aud: 'anon' }, HS, secretBytes));
await refuse('role anon', jwt({ role: 'anon' }, HS, secretBytes));
await refuse('role service_role', jwt({ role: 'service_role' }, HS, secretBytes));
await refuse('sub missing', jwtOf(without('sub'), HS, secretBytes));
await refuse('API key anon', jwtOf({ ...API_KEY, role: 'anon' }, HS, secretBytes));
await refuse('API key service_role', jwtOf({ ...API_KEY, role: 'service_role' }, HS, secretBytes));
await refuse(
  'crit names what nobody knows',
  hand({ ...HS, ...odd, crit: Object.keys(odd) }, CLAIMS, byHs(SECRET)),
);
await refuse(
  'JWE by the secret',
  new CompactEncrypt(bytes(CLAIMS))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(secretBytes.subarray(0, 32)),
);
await refuse('the secret itself', SECRET);

console.log(JSON.stringify({ jwks, secret: SECRET, tokens, secret_tokens: secretTokens }));
