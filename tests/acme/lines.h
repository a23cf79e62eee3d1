/*
 * The lines of scripts (script.h) that many goals of a client have in common.
 */
#ifndef TESTS_ACME_LINES_H
#define TESTS_ACME_LINES_H

#include "script.h"

#define NOW_S 1767225600 /* 2026-01-01 */
#define ACCOUNT CA "/account/7"

#define ADDRESSES \
	"\"newNonce\":\"" CA "/nonce\",\"newAccount\":\"" CA "/register\",\"newOrder\":\"" CA \
	"/order\",\"keyChange\":\"" CA "/key\""
#define META "\"meta\":{\"termsOfService\":\"" CA "/terms\",\"caaIdentities\":[\"ca.example\"]}"
#define ORDER(status, more) \
	"{\"status\":\"" status "\",\"finalize\":\"" CA "/finalise\",\"authorizations\":[\"" CA \
	"/authz\"]" more "}"
#define CERTIFICATE ",\"certificate\":\"" CA "/certificate\""
#define CHALLENGE(status, more) \
	"{\"type\":\"tls-alpn-01\",\"url\":\"" CA \
	"/challenge\",\"token\":\"tok\",\"status\":\"" status "\"" more "}"
#define AUTHORISATION(status, challenge) \
	"{\"status\":\"" status \
	"\",\"identifier\":{\"type\":\"dns\",\"value\":\"app.example.com\"},\"challenges\":[" challenge \
	"]}"

/* The lines that many scripts have in common. */
#define ASK_DIRECTORY \
	{ \
		"GET /directory", 200, .body = "{" ADDRESSES "," META "}" \
	}
#define ASK_ARI_DIRECTORY \
	{ \
		"GET /directory", 200, \
		    .body = "{" ADDRESSES ",\"renewalInfo\":\"" CA "/ari\"," META "}" \
	}
#define ASK_NONCE \
	{ \
		"HEAD /nonce", .status = 200 \
	}
#define GREET \
	{ \
		"POST /account/7", 200, \
		    .body = "{\"status\":\"valid\",\"contact\":[\"mailto:a@example.com\"]}" \
	}
#define BEGIN ASK_DIRECTORY, ASK_NONCE, GREET
#define ORDER_NEW \
	{ \
		"POST /order", 201, .body = ORDER("pending", ""), .location = CA "/order/1" \
	}
#define AUTHORISE \
	{ \
		"POST /authz", 200, .body = AUTHORISATION("pending", CHALLENGE("pending", "")) \
	}
#define ANSWER \
	{ \
		"POST /challenge", 200, .body = CHALLENGE("processing", "") \
	}
#define VALID \
	{ \
		"POST /authz", 200, .body = AUTHORISATION("valid", CHALLENGE("valid", "")) \
	}
#define READY \
	{ \
		"POST /order/1", 200, .body = ORDER("ready", "") \
	}
#define FINALISE \
	{ \
		"POST /finalise", 200, .body = ORDER("valid", CERTIFICATE) \
	}
#define DOWNLOAD \
	{ \
		"POST /certificate", 200, .body = "CHAIN" \
	}

#endif
