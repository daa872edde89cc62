# SPDX-License-Identifier: Apache-2.0
printf 'name: a\nboard: asus_crl_g18u\ndevice: sim\nmeters: synth\n' > x.yaml
atoll bench x.yaml --db x.db
