# SPDX-License-Identifier: MIT
# What is installed beside the program: shared libraries made of whole rooms, their headers and
# pkg-config files.

air_library(thinair
    DESCRIPTION "ACME engine without I/O: issues and renews certificates inside a server"
    ROOMS base jose acme engine
    HEADERS thinair.h buffer.h jose.h crypto.h storage.h action.h engine.h
    REQUIRES_PRIVATE jansson)

air_library(thinair-jose
    DESCRIPTION "JSON Web Keys and Signatures as ACME uses them"
    ROOMS base jose
    HEADERS thinair.h buffer.h jose.h crypto.h
    REQUIRES_PRIVATE jansson)

air_library(thinair-openssl
    DESCRIPTION "thinair's crypto port on OpenSSL"
    ROOMS crypto_openssl
    HEADERS openssl.h
    REQUIRES_PRIVATE libcrypto)

air_library(thinair-files
    DESCRIPTION "thinair's storage port on a directory of files"
    ROOMS storage_file
    HEADERS files.h)

air_library(thinair-memory
    DESCRIPTION "thinair's storage port in memory, for what must not be kept"
    ROOMS storage_memory
    HEADERS memory_storage.h)

air_library(thinair-snapshot
    DESCRIPTION "thinair's storage port in memory, kept in two files that are opened once"
    ROOMS storage_snapshot
    HEADERS snapshot_storage.h)

air_library(thinair-tls
    DESCRIPTION "Certificates by name, and tls-alpn-01, for OpenSSL servers"
    ROOMS tls
    HEADERS tls.h
    REQUIRES openssl)

air_library(thinair-driver
    DESCRIPTION "thinair's engine run with libuv and libcurl: a server's certificates in three calls"
    ROOMS driver responder server
    HEADERS driver.h responder.h server.h
    USES lib_thinair_tls lib_thinair_openssl lib_thinair_files lib_thinair
    REQUIRES thinair-tls thinair-openssl thinair-files thinair
    REQUIRES_PRIVATE libuv libcurl)

air_library(thinair-keeper
    DESCRIPTION "A process that keeps account keys and storage for a server that gave up root"
    ROOMS keeper pair_files
    HEADERS account_file.h keeper.h pair_files.h
    USES lib_thinair_openssl lib_thinair_files lib_thinair
    REQUIRES thinair
    REQUIRES_PRIVATE thinair-openssl thinair-files libcrypto)
