// Leads from the old address of a page to its new one, with what stands behind # in the address.
"use strict";

document.querySelectorAll("[data-moved]").forEach((link) => location.replace(link.href + location.hash));
